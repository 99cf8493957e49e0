import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const DIST = new URL('../../web/dist/', import.meta.url).pathname;
const TRIES = 40;
const PAUSE_MS = 250;

let read: Promise<Map<string, Buffer>> | undefined;

/**
 * Files of the built page by their path, "/index.html". Read once and whole: whoever builds the page again meanwhile
 * changes nothing under a test. @throws when it is not built
 */
export function builtPage(): Promise<Map<string, Buffer>> {
  read ??= readWhole();
  return read;
}

/** While a build runs, files are missing; they come. */
async function readWhole(): Promise<Map<string, Buffer>> {
  for (let i = 0; i < TRIES; i++) {
    const files = await readFiles().catch(() => new Map<string, Buffer>());
    const page = files.get('/index.html')?.toString() ?? '';
    const named = [...page.matchAll(/(?:src|href)="\.(\/[^"]+)"/g)].map(([, path]) => path);
    const hasWorker = [...files.keys()].some((path) => path.includes('tree-worker'));
    if (named.length > 0 && hasWorker && named.every((path) => files.has(path))) return files;
    await sleep(PAUSE_MS);
  }
  throw new Error('the page is not built; run: npm run build:web');
}

async function readFiles(): Promise<Map<string, Buffer>> {
  const names = ['index.html', 'config.json'];
  for (const name of await readdir(join(DIST, 'assets'))) names.push(`assets/${name}`);
  const contents = await Promise.all(names.map((name) => readFile(join(DIST, name))));
  return new Map(names.map((name, i) => [`/${name}`, contents[i]]));
}
