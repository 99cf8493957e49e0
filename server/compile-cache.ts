import { enableCompileCache, flushCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/**
 * From here on, modules that were compiled before are not compiled again: what Node.js makes of a file is kept by the
 * file's content and Node's version. It halves what a short command costs. NODE_COMPILE_CACHE names another folder,
 * NODE_DISABLE_COMPILE_CACHE=1 keeps nothing. Where nothing can be kept, all works as without it.
 *
 * The folder is this person's own: in a shared one, others could leave code for us to run.
 */
export function cacheCompiledCode(env: NodeJS.ProcessEnv): void {
  if (env.NODE_COMPILE_CACHE === undefined) enableCompileCache(compileCacheFolder(env));
}

/** @returns as the XDG base directories have it: below XDG_CACHE_HOME, else ~/.cache */
export function compileCacheFolder({ XDG_CACHE_HOME: chosen }: NodeJS.ProcessEnv): string {
  const base = chosen !== undefined && isAbsolute(chosen) ? chosen : join(homedir(), '.cache');
  return join(base, 'cinderblock', 'compiled');
}

/** Keeps what was compiled so far, for the next process: a server may run until it is killed. */
export function keepCompiledCode(): void {
  flushCompileCache();
}
