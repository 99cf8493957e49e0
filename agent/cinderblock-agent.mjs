// The agent's launcher, in JavaScript on purpose. Node.js runs TypeScript by stripping its types, and the stripper takes
// 30 MB that it never gives back. With what it makes in a cache it is not loaded at all, so the first start fills the
// cache in a process of its own. docs/agent.md has the flags of V8 that go with it, and the figures.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FILL_CACHE = 'CINDERBLOCK_FILL_COMPILE_CACHE';
const FILL_MS = 30_000;

/** Makes sure that the agent comes out of the cache. Whatever goes wrong here costs memory and nothing else. */
function useCompileCache() {
  const folder = join(process.env.CINDERBLOCK_AGENT_DIR || '.cinderblock/agent', 'compile-cache');
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
    const mark = join(folder, `filled-${version}-${process.version}`);
    if (!existsSync(mark)) {
      const { CINDERBLOCK_SECRET_ACCESS_KEY: _, ...rest } = process.env;
      const env = { ...rest, NODE_COMPILE_CACHE: folder, [FILL_CACHE]: '1' };
      const self = fileURLToPath(import.meta.url);
      const { status } = spawnSync(process.execPath, [...process.execArgv, self, '--help'], {
        env,
        timeout: FILL_MS,
      });
      if (status === 0) writeFileSync(mark, '');
    }
    enableCompileCache(folder);
  } catch {
    // A folder that cannot be written will be told about by the spool.
  }
}

// Filling, the agent is asked for its help only.
if (process.env[FILL_CACHE] !== '1') useCompileCache();
await import('./main.ts');
