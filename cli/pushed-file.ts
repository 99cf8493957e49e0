import { readFile } from 'node:fs/promises';
import { MalformedInputError, RejectedError } from '../core/errors.ts';
import { labelsOf, SERVICE_NAME } from '../core/labels/labels.ts';
import { parseProfileType, profileTypeId } from '../core/labels/profile-type.ts';
import { addPprof } from '../core/pprof/decode-pprof.ts';
import { DEFAULT_PPROF_LIMITS } from '../core/pprof/pprof-limits.ts';
import { DatasetBuilder } from '../core/profile/dataset-builder.ts';
import { addFolded } from '../core/profile/folded-profile.ts';
import { gunzipBounded, isGzip } from '../storage/gzip.ts';

export type PushedFormat = 'pprof' | 'folded';

/** A file to push, decoded once here: so that a broken one is told apart before it is sent, and what is in it is known. */
export interface PushedFile {
  readonly path: string;
  readonly format: PushedFormat;
  /** As they are in the file. */
  readonly bytes: Uint8Array;
  readonly values: readonly { readonly sampleType: string; readonly unit: string; readonly total: bigint }[];
  readonly samples: number;
  /** The window that the profile says of itself, ms since epoch; undefined for folded text, which says none. */
  readonly window: { readonly start: number; readonly durationMs: number } | undefined;
}

/** Longest profile after inflating; a server has a limit of its own. */
const RAW_BYTES_MAX = 512 * 1024 * 1024;

/** @throws MalformedInputError naming the file, RejectedError when it passes a limit */
export async function readPushedFile(
  path: string,
  nowMs: number,
  format?: PushedFormat,
): Promise<PushedFile> {
  const bytes = await readFile(path);
  if (bytes.length === 0) throw new MalformedInputError(path, 'is empty');
  try {
    const kind = format ?? (looksFolded(bytes) ? 'folded' : 'pprof');
    return kind === 'folded' ? readFolded(path, bytes) : readPprof(path, bytes, nowMs);
  } catch (error) {
    if (error instanceof MalformedInputError)
      throw new MalformedInputError(path, error.message, undefined, { cause: error });
    if (error instanceof RejectedError)
      throw new RejectedError(error.reason, `${path}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** Printable text whose first line ends in a blank and a number. A pprof profile begins with a tag and a length. */
function looksFolded(bytes: Uint8Array): boolean {
  if (isGzip(bytes)) return false;
  const head = new TextDecoder().decode(bytes.subarray(0, 4096));
  const line = head.slice(0, head.includes('\n') ? head.indexOf('\n') : head.length);
  return !/[\u0000-\u0008\u000e-\u001f]/.test(line) && / \d+\s*$/.test(line);
}

function readPprof(path: string, bytes: Uint8Array, now: number): PushedFile {
  const raw = isGzip(bytes) ? gunzipBounded(bytes, RAW_BYTES_MAX) : bytes;
  const summary = addPprof(new DatasetBuilder('pushed'), raw, {
    labels: labelsOf([[SERVICE_NAME, 'pushed']]),
    batch: 0,
    now,
    limits: DEFAULT_PPROF_LIMITS,
    keepAddresses: 'unsymbolized',
    profileName: () => 'pushed',
  });
  const values = summary.profileTypes.map(({ id, total }) => {
    const { sampleType, sampleUnit: unit } = parseProfileType(id);
    return { sampleType, unit, total };
  });
  const { start, durationMs, sampleRecords: samples } = summary;
  return { path, format: 'pprof', bytes, values, samples, window: { start, durationMs } };
}

function readFolded(path: string, bytes: Uint8Array): PushedFile {
  const dataset = new DatasetBuilder('pushed');
  addFolded(dataset, {
    text: new TextDecoder().decode(bytes),
    labels: [],
    batch: 0,
    profileType: profileTypeId('pushed', { type: 'samples', unit: 'count' }),
    valueScale: 1,
    startMs: 0,
    durationMs: 0,
  });
  let samples = 0;
  for (const rows of dataset.types.values()) samples += rows.samples[0] ?? 0;
  const values = [{ sampleType: 'samples', unit: 'count', total: BigInt(samples) }];
  return { path, format: 'folded', bytes, values, samples, window: undefined };
}
