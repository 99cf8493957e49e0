import { setTimeout as sleep } from 'node:timers/promises';
import { MalformedInputError, RejectedError } from '../core/errors.ts';
import { type Labels, labelsOf, labelValue, SERVICE_NAME, UNKNOWN_SERVICE } from '../core/labels/labels.ts';
import { type Command, oneOf, readOptions, wholeNumber } from './command.ts';
import { ExitCode, exitCodeOf, UsageError } from './exit-code.ts';
import { HUB_HELP, HubClient, hubOptions, NotTakenError } from './hub-client.ts';
import { parseLabels } from './label-argument.ts';
import { type PushedFile, type PushedFormat, readPushedFile } from './pushed-file.ts';
import { bytesText, count, counted, durationText, quantity, timeText } from './quantity.ts';
import { labelsText } from './query/series-text.ts';
import { styled, type Terminal } from './terminal.ts';
import { parseTime } from './time-argument.ts';

export const pushCommand: Command = {
  name: 'push',
  summary: 'send profile files to a server',
  help: `Usage: cinderblock push FILE… [options]

Sends pprof profiles (gzipped or not) and folded text ("main;work 12" per line) to a server, one request a file.

  --name SERVICE        service they belong to (default the label service_name, else ${UNKNOWN_SERVICE})
  --label NAME=VALUE    label of all of them; repeat for more
  --from T --until T    their window, instead of what the profile says: now-30m, 2026-11-21T09:30:00Z, or digits
                        since epoch (s, ms, µs, ns). Folded text without them is taken for now.
  --format FORMAT       pprof or folded (default: told by the content)
  --sample-rate HZ      folded text: samples per second of CPU time (default 100)
${HUB_HELP}

A file that cannot be read as a profile is named, and the others are sent.
`,
  run: runPush,
};

const options = {
  ...hubOptions,
  name: { type: 'string' },
  label: { type: 'string', multiple: true },
  from: { type: 'string' },
  until: { type: 'string' },
  format: { type: 'string' },
  'sample-rate': { type: 'string', default: '100' },
} as const;

interface Push {
  readonly client: HubClient;
  readonly labels: Labels;
  readonly format: PushedFormat | undefined;
  readonly sampleRate: number;
  readonly startMs: number | undefined;
  readonly endMs: number | undefined;
  readonly terminal: Terminal;
}

async function runPush(args: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals: files } = readOptions(args, options);
  if (files.length === 0) throw new UsageError('name at least one file to push');
  const push: Push = {
    client: new HubClient(values, terminal),
    labels: labelsFor(values.name, values.label ?? []),
    format: values.format === undefined ? undefined : oneOf('--format', values.format, ['pprof', 'folded']),
    sampleRate: wholeNumber('--sample-rate', values['sample-rate'], 1, 1_000_000),
    ...windowOf(values, terminal.now()),
    terminal,
  };
  return pushAll(push, files);
}

function labelsFor(name: string | undefined, pairs: readonly string[]): Labels {
  const labels = parseLabels(pairs);
  const service = name ?? (labelValue(labels, SERVICE_NAME) || UNKNOWN_SERVICE);
  if (!/^[a-zA-Z0-9_.\-/]+$/.test(service)) {
    throw new UsageError(`service "${service}" may only use letters, digits and _ . - /`);
  }
  return labelsOf([...labels, [SERVICE_NAME, service]]);
}

function windowOf(values: { from?: string; until?: string }, now: number) {
  const startMs = values.from === undefined ? undefined : parseTime('--from', values.from, now);
  const endMs = values.until === undefined ? undefined : parseTime('--until', values.until, now);
  if (startMs !== undefined && endMs !== undefined && startMs >= endMs) {
    throw new UsageError('--from must lie before --until');
  }
  return { startMs, endMs };
}

/** Sends one file after the other. A bad file costs only itself; a server that is gone ends the rest. */
async function pushAll(push: Push, files: readonly string[]): Promise<number> {
  const { terminal } = push;
  let worst: number = ExitCode.ok;
  let [sent, bytes, samples] = [0, 0, 0];
  for (const [index, path] of files.entries()) {
    terminal.signal.throwIfAborted();
    terminal.progress(`pushing ${index + 1} of ${files.length}: ${path}`);
    try {
      const file = await readPushedFile(path, terminal.now(), push.format);
      await send(push, file);
      await terminal.write(`${fileText(push, file)}\n`);
      sent++;
      bytes += file.bytes.length;
      samples += file.samples;
    } catch (error) {
      if (!isOfOneFile(error)) throw error;
      terminal.note(`${styled(terminal, 'red', 'not pushed:')} ${(error as Error).message}`);
      worst = Math.max(worst, error instanceof RejectedError ? exitCodeOf(error) : ExitCode.malformed);
    }
  }
  if (files.length > 1) {
    await terminal.write(
      `${count(sent)} of ${counted(files.length, 'file')}, ${counted(samples, 'sample')}, ${bytesText(bytes)}\n`,
    );
  }
  return worst;
}

function isOfOneFile(error: unknown): boolean {
  if (error instanceof RejectedError) return error.reason === 'too-large' || error.reason === 'invalid';
  return error instanceof MalformedInputError || typeof (error as NodeJS.ErrnoException).syscall === 'string';
}

const ATTEMPTS = 4;
const WAIT_MS = 500;
const WAIT_MAX_MS = 10_000;

/** Repeats a push only when it was certainly not taken: a pushed profile has no identity that would drop a second copy. */
async function send(push: Push, file: PushedFile): Promise<void> {
  const { terminal } = push;
  for (let attempt = 1; ; attempt++) {
    try {
      await sendOnce(push, file);
      return;
    } catch (error) {
      const isRateLimit = error instanceof RejectedError && error.reason === 'rate-limited';
      if (attempt === ATTEMPTS || !(isRateLimit || error instanceof NotTakenError)) throw error;
      const asked = (error.retryAfterSeconds ?? 0) * 1000;
      const wait = Math.min(WAIT_MAX_MS, Math.max(asked, WAIT_MS * 2 ** (attempt - 1)));
      terminal.progress(`${error.message}; trying again in ${durationText(wait)}`);
      await sleep(wait, undefined, { signal: terminal.signal });
    }
  }
}

async function sendOnce(
  { client, labels, sampleRate, startMs, endMs }: Push,
  file: PushedFile,
): Promise<void> {
  const query = new URLSearchParams({
    name: nameParameter(labels),
    format: file.format === 'pprof' ? 'pprof' : 'groups',
  });
  if (startMs !== undefined) query.set('from', millisecondsOf(startMs));
  if (endMs !== undefined) query.set('until', millisecondsOf(endMs));
  if (file.format === 'folded') query.set('sampleRate', String(sampleRate));
  const contentType = file.format === 'pprof' ? 'application/octet-stream' : 'text/plain';
  const response = await client.post(`/ingest?${query}`, file.bytes, contentType);
  await response.arrayBuffer();
}

/** Thirteen digits are milliseconds to /ingest. */
function millisecondsOf(time: number): string {
  return String(Math.round(time)).padStart(13, '0');
}

function nameParameter(labels: Labels): string {
  const others = labels.filter(([name]) => name !== SERVICE_NAME).map(([name, value]) => `${name}=${value}`);
  return `${labelValue(labels, SERVICE_NAME)}{${others.join(',')}}`;
}

function fileText({ labels, startMs, endMs }: Push, file: PushedFile): string {
  const values = file.values.map(
    ({ sampleType, unit, total }) => `${sampleType} ${quantity(Number(total), unit)}`,
  );
  const start = startMs ?? file.window?.start;
  const end =
    endMs ?? (start === undefined || file.window === undefined ? undefined : start + file.window.durationMs);
  const range =
    start === undefined || end === undefined ? 'now' : `${timeText(start)} for ${durationText(end - start)}`;
  return `${file.path}: ${counted(file.samples, 'sample')}, ${values.join(', ')}, ${range} as ${labelsText(labels)}`;
}
