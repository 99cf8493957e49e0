import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// The entry of the agent. Node.js runs TypeScript by stripping its types, and the stripper takes 30 MB that it never gives
// back. With what it makes in a cache it is not loaded at all, so the first start fills the cache in a process of its own.
// Start it with `node --max-old-space-size=64 --max-semi-space-size=1 agent/main.ts`; docs/agent.md says what that saves.

const FILL_CACHE = 'CINDERBLOCK_FILL_COMPILE_CACHE';
const FILL_MS = 30_000;

/** Makes sure that the rest of the agent comes out of the cache. Whatever goes wrong here costs memory and nothing else. */
function useCompileCache(): void {
  const folder = join(process.env.CINDERBLOCK_AGENT_DIR || '.cinderblock/agent', 'compile-cache');
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const mark = join(folder, `filled-${process.version}`);
    if (!existsSync(mark)) {
      const env = { ...process.env, NODE_COMPILE_CACHE: folder, [FILL_CACHE]: '1' };
      const self = fileURLToPath(import.meta.url);
      const { status } = spawnSync(process.execPath, [...process.execArgv, self], { env, timeout: FILL_MS });
      if (status === 0) writeFileSync(mark, '');
    }
    enableCompileCache(folder);
  } catch {
    // A folder that cannot be written will be told about by the spool.
  }
}

const args = process.argv.slice(2);
if (args.includes('--help') || args.includes('-h')) {
  const { AGENT_HELP } = await import('./agent-settings.ts');
  process.stdout.write(AGENT_HELP);
} else if (process.env[FILL_CACHE] === '1') {
  await import('./run-agent.ts');
} else {
  useCompileCache();
  const { runAgent } = await import('./run-agent.ts');
  runAgent(args);
}
