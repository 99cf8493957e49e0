import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseJson } from './engine.ts';

const SAMPLER_FOLDER = fileURLToPath(new URL('../sampler', import.meta.url));
const BUILT_BINARY = `${SAMPLER_FOLDER}/target/release/cinderblock-sampler`;
const CHECK_MS = 10_000;

/** The sampler's program, or why there is none and what to do about it: one line. */
export type FoundSampler = { readonly binary: string } | { readonly remedy: string };

/**
 * Finds the sampler, builds it where Rust is installed and it is missing, and asks it whether it may sample here.
 * @param options.binary a program to use instead of the built one
 * @param options.progress lines about a build, which takes a minute or two
 */
export async function ensureSampler(options: {
  binary?: string;
  progress: (line: string) => void;
}): Promise<FoundSampler> {
  if (process.platform !== 'linux') return { remedy: 'sampling every process needs Linux' };
  const binary = options.binary ?? BUILT_BINARY;
  if (options.binary !== undefined && !existsSync(binary)) {
    return { remedy: `there is no sampler at ${binary} (CINDERBLOCK_SAMPLER)` };
  }
  if (options.binary === undefined && isOlderThanSources(binary)) {
    const remedy = await buildSampler(options.progress);
    // Without Rust, one that was built before still serves.
    if (remedy !== undefined && !existsSync(binary)) return { remedy };
  }
  return checkSampler(binary);
}

/** Whether the sampler has to be built: it is missing, or a source was changed after it was built. */
function isOlderThanSources(binary: string): boolean {
  if (!existsSync(binary)) return true;
  const folder = join(SAMPLER_FOLDER, 'src');
  // An image may hold the program alone.
  if (!existsSync(folder)) return false;
  const builtAt = statSync(binary).mtimeMs;
  const sources = readdirSync(folder).map((name) => join(folder, name));
  return [...sources, join(SAMPLER_FOLDER, 'Cargo.lock')].some((file) => statSync(file).mtimeMs > builtAt);
}

/** @returns undefined when it is built; else why not */
async function buildSampler(progress: (line: string) => void): Promise<string | undefined> {
  let isSaid = false;
  const { code, tail } = await runLines(
    'cargo',
    ['build', '--release', '--locked'],
    { cwd: SAMPLER_FOLDER },
    (line) => {
      if (!/^\s*(?:Compiling|Downloaded|Finished|error)/.test(line)) return;
      // Said once cargo answers: without Rust there is nothing to announce.
      if (!isSaid) progress('building the sampler with cargo, once (a minute or two) …');
      isSaid = true;
      progress(line.trim());
    },
  );
  if (code === 0 && existsSync(BUILT_BINARY)) return undefined;
  if (code === 'ENOENT')
    return 'Rust is not installed; install it from https://rustup.rs and start again to sample every process';
  return `the sampler could not be built (${tail}); run "cargo build --release --locked" in agent/sampler to see why`;
}

/** `--check` answers one line of JSON: `{"ok": true}`, or `{"ok": false, "reason", "remedy"}`. */
async function checkSampler(binary: string): Promise<FoundSampler> {
  let first = '';
  const { code, tail } = await runLines(binary, ['--check'], { timeout: CHECK_MS }, (line) => {
    first ||= line;
  });
  const answer = parseAnswer(first);
  if (answer?.ok === true) return { binary };
  const said = [answer?.reason, answer?.remedy].filter((text) => typeof text === 'string');
  if (said.length > 0) return { remedy: said.join('; ') };
  return { remedy: tail === '' ? `the sampler cannot run here (${code}); ${permissionRemedy()}` : tail };
}

function parseAnswer(line: string): Record<string, unknown> | undefined {
  try {
    return parseJson(new TextEncoder().encode(line));
  } catch {
    return undefined;
  }
}

function permissionRemedy(): string {
  let paranoid = 'unknown';
  try {
    paranoid = readFileSync('/proc/sys/kernel/perf_event_paranoid', 'utf8').trim();
  } catch {
    // Not readable in some containers.
  }
  return `run as root or with CAP_PERFMON, or set kernel.perf_event_paranoid to 0 (now ${paranoid})`;
}

/** Runs a program and passes on its lines. @returns its exit code, or the error code when it cannot be started */
function runLines(
  program: string,
  args: string[],
  options: { cwd?: string; timeout?: number },
  onLine: (line: string) => void,
): Promise<{ code: number | string; tail: string }> {
  const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let tail = '';
  createInterface({ input: child.stdout }).on('line', onLine);
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (line.trim() !== '') tail = line.trim().slice(0, 300);
    onLine(line);
  });
  return new Promise((resolve) => {
    child.on('error', (error: NodeJS.ErrnoException) =>
      resolve({ code: error.code ?? 'error', tail: error.message }),
    );
    child.on('close', (code, signal) => resolve({ code: code ?? signal ?? 'ended', tail }));
  });
}
