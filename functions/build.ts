import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build, type Metafile } from 'esbuild';

const ROOT = join(import.meta.dirname, '..');

/** Below the project's folder: one folder per function with the one file that is deployed. */
export const FUNCTIONS_FOLDER = 'dist/functions';

/** Source maps, for stack traces of the minified code; not deployed. */
const MAPS_FOLDER = 'dist/function-maps';

export const FUNCTION_NAMES = [
  ...['ingest', 'processor', 'query', 'query-worker', 'admin', 'authorizer'],
  ...['compaction-planner', 'compaction-worker', 'housekeeper'],
] as const;

export interface BuiltFunction {
  name: string;
  /** Absolute; holds index.mjs and nothing else. */
  folder: string;
  bytes: number;
  gzipBytes: number;
  /** Bytes that each source file, or package, gives to the bundle; the most first. */
  parts: readonly [source: string, bytes: number][];
}

/**
 * CommonJS packages inside an ES module ask for `require`. The long name is one that no minifier makes: a shorter one
 * collided, and the bundle failed on its first start.
 */
const BANNER =
  "import{createRequire as __cinderblockCreateRequire}from'node:module';" +
  'const require=__cinderblockCreateRequire(import.meta.url);';

/** Bundles functions, each with all it needs, the SDK included. Same sources, same bytes, wherever it runs. */
export async function buildFunctions(
  names: readonly (typeof FUNCTION_NAMES)[number][] = FUNCTION_NAMES,
): Promise<BuiltFunction[]> {
  const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
  return Promise.all(names.map((name) => buildFunction(name, version)));
}

async function buildFunction(name: string, version: string): Promise<BuiltFunction> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [`functions/${name}.ts`],
    outfile: `${FUNCTIONS_FOLDER}/${name}/index.mjs`,
    write: false,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    mainFields: ['module', 'main'],
    conditions: ['module'],
    minify: true,
    legalComments: 'none',
    sourcemap: 'external',
    sourcesContent: false,
    metafile: true,
    define: {
      'process.env.NODE_ENV': '"production"',
      'process.env.CINDERBLOCK_VERSION': JSON.stringify(version),
    },
    banner: { js: BANNER },
    logLevel: 'error',
  });
  const folder = join(ROOT, FUNCTIONS_FOLDER, name);
  const [map, code] = [outputFiles.find(isMap)!, outputFiles.find((file) => !isMap(file))!];
  await writeWhole(join(folder, 'index.mjs'), code.contents);
  await writeWhole(join(ROOT, MAPS_FOLDER, `${name}.mjs.map`), map.contents);
  const gzipBytes = gzipSync(code.contents, { level: 9 }).length;
  return { name, folder, bytes: code.contents.length, gzipBytes, parts: partsOf(metafile) };
}

/** Others may read the file meanwhile, and build it too: it is there whole, and touched only when it changes. */
async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const present = await readFile(path).catch(() => undefined);
  if (present?.equals(bytes)) return;
  const unfinished = join(ROOT, MAPS_FOLDER, `${randomUUID()}.part`);
  for (const folder of [dirname(path), dirname(unfinished)]) await mkdir(folder, { recursive: true });
  await writeFile(unfinished, bytes);
  await rename(unfinished, path);
}

const isMap = ({ path }: { path: string }) => path.endsWith('.map');

/** Sources of the project by file, and of packages by package. */
function partsOf({ outputs }: Metafile): [string, number][] {
  const parts = new Map<string, number>();
  for (const { inputs } of Object.values(outputs)) {
    for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
      const [, inPackage] = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path) ?? [];
      const part = inPackage ?? path;
      parts.set(part, (parts.get(part) ?? 0) + bytesInOutput);
    }
  }
  return [...parts].filter(([, bytes]) => bytes > 0).sort((a, b) => b[1] - a[1]);
}

/** How often a cold import is measured. */
const IMPORT_RUNS = 5;

/** Time to import a bundle in a process of its own with an empty environment, ms: the median of several. */
export async function coldImportMs({ folder }: BuiltFunction): Promise<number> {
  const script = 'const t=performance.now();await import(process.argv[1]);console.log(performance.now()-t)';
  const times: number[] = [];
  for (let run = 0; run < IMPORT_RUNS; run++) {
    const args = ['--input-type=module', '--eval', script, join(folder, 'index.mjs')];
    const { stdout } = await promisify(execFile)(process.execPath, args, { env: {} });
    times.push(Number(stdout));
  }
  return times.sort((a, b) => a - b)[(IMPORT_RUNS - 1) / 2]!;
}

async function main(): Promise<void> {
  console.log('function               KiB   gzip   import ms');
  for (const built of await buildFunctions()) {
    const columns = [built.bytes / 1024, built.gzipBytes / 1024, await coldImportMs(built)];
    console.log(built.name.padEnd(19) + columns.map((column) => column.toFixed(0).padStart(7)).join(''));
  }
}

if (import.meta.main) await main();
