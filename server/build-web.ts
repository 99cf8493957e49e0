import { spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

export const WEB_DIST = join(ROOT, 'web', 'dist');
const VITE = join(ROOT, 'node_modules', 'vite', 'bin', 'vite.js');

export const HOW_TO_BUILD = 'the page is not built; run: npx vite build web';

/** Whether the page must be built before it can be served: it never was, or its sources are newer. */
export function isWebStale(): boolean {
  const built = modifiedAt(join(WEB_DIST, 'index.html'));
  if (built === 0) return true;
  return [join(ROOT, 'web'), join(ROOT, 'core', 'flamegraph')].some((folder) => newestIn(folder) > built);
}

/** Builds the page in a process of its own. Answers whether that worked; what went wrong is in `output`. */
export async function buildWeb(): Promise<{ built: boolean; output: string }> {
  if (!existsSync(VITE)) return { built: false, output: 'vite is not installed' };
  const child = spawn(process.execPath, [VITE, 'build', 'web', '--logLevel', 'warn'], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  const code = await new Promise<number | null>((resolve) => {
    child.on('error', () => resolve(null));
    child.on('close', resolve);
  });
  return { built: code === 0 && existsSync(join(WEB_DIST, 'index.html')), output: output.trim() };
}

/** Newest change of any source below a folder, its build output and dependencies left out. */
function newestIn(folder: string): number {
  let newest = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || /\b(dist|node_modules)\b/.test(entry.parentPath.slice(ROOT.length))) continue;
    newest = Math.max(newest, modifiedAt(join(entry.parentPath, entry.name)));
  }
  return newest;
}

function modifiedAt(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
