import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
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
  if (!existsSync(binary)) {
    if (options.binary !== undefined)
      return { remedy: `there is no sampler at ${binary} (CINDERBLOCK_SAMPLER)` };
    const remedy = await buildSampler(options.progress);
    if (remedy !== undefined) return { remedy };
  }
  return checkSampler(binary);
}

/** @returns undefined when it is built; else why not */
async function buildSampler(progress: (line: string) => void): Promise<string | undefined> {
  progress('building the sampler with cargo, once (a minute or two) …');
  const { code, tail } = await runLines(
    'cargo',
    ['build', '--release', '--locked'],
    { cwd: SAMPLER_FOLDER },
    (line) => {
      if (/^\s*(?:Compiling|Downloaded|Finished|error)/.test(line)) progress(line.trim());
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
