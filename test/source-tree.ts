import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, posix, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the checkout. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

const NOT_OURS = new Set(['node_modules', '.git', 'dist', 'target', 'cdk.out', '.cinderblock']);

/** All files that belong to the project, as paths from its root with '/': what git tracks, or without git all there is. */
export function projectFiles(): string[] {
  try {
    const output = execFileSync('git', ['ls-files', '-z'], {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return output.split('\0').filter((path) => path !== '' && existsSync(join(ROOT, path)));
  } catch {
    return walk(ROOT);
  }
}

function walk(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (NOT_OURS.has(entry.name)) return [];
    return entry.isDirectory() ? walk(path) : [relative(ROOT, path).split(sep).join('/')];
  });
}

export function textOf(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

export function sizeOf(path: string): number {
  return statSync(join(ROOT, path)).size;
}

/** Made by a tool from something else in the tree. */
export function isGenerated(path: string): boolean {
  return path.startsWith('api/gen/') || path === 'package-lock.json' || path.endsWith('Cargo.lock');
}

export function isScript(path: string): boolean {
  return /\.(ts|tsx|mjs|js)$/.test(path);
}

/** One import, export-from, dynamic import or `new URL(…, import.meta.url)` of a file. */
export interface ImportSite {
  readonly from: string;
  readonly line: number;
  /** As written: './x.ts', 'node:fs', 'preact/hooks'. */
  readonly specifier: string;
  /** The file it names, from the root, for a relative specifier. */
  readonly target: string | undefined;
  /** `new URL(…)`: the file is named, to be read or started, not imported. */
  readonly isByPath: boolean;
}

const IMPORTS = [
  /^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"\n]+)['"]/gm,
  /^\s*import\s*['"]([^'"\n]+)['"]/gm,
  /\bimport\(\s*['"]([^'"\n]+)['"]\s*\)/g,
];
const BY_PATH = /\bnew URL\(\s*['"](\.[^'"\n]+)['"],\s*import\.meta\.url\s*\)/g;

export function importsOf(path: string): ImportSite[] {
  const text = textOf(path);
  return [...IMPORTS, BY_PATH].flatMap((pattern) =>
    [...text.matchAll(pattern)].map((match) => {
      // Vite takes instructions after a question mark.
      const specifier = match[1]!.split('?')[0]!;
      const target = specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : undefined;
      const line = lineAt(text, match.index + match[0].length);
      return { from: path, line, specifier, target, isByPath: pattern === BY_PATH };
    }),
  );
}

export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

/** The code with comments and the content of texts blanked out; lines stay where they are. */
export function codeOnly(text: string): string {
  const token = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g;
  return text.replace(token, (found) => found.replace(/[^\n]/g, ' '));
}
