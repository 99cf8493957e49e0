import { type Ledger, ledgerSince } from './ledger.ts';
import { isDead } from './recover-spool.ts';
import { Segment, segmentNumbers } from './segment.ts';
import { isFileSystemError, nodeFs, type SpoolFs } from './spool-fs.ts';
import { firstState, newestSlot, STATE_FILE } from './spool-state.ts';

/** One record as `cinderblock spool ls` shows it. */
export interface SpoolEntry {
  readonly segment: string;
  readonly offset: number;
  readonly bytes: number;
  readonly ordinal: number;
  readonly bootId: string;
  readonly sequence: number;
  readonly createdMs: number;
  /** Windows lie in [firstWindow, lastWindow), ms since epoch. */
  readonly firstWindow: number;
  readonly lastWindow: number;
  readonly kept: number;
  readonly taken: number;
  readonly lost: number;
  /** waiting: to be uploaded; settled: acknowledged, or counted as dropped; damaged: its payload is not what was written. */
  readonly status: 'waiting' | 'settled' | 'damaged';
  /** Bytes before it that are no record. */
  readonly damagedBytesBefore: number;
}

/** What a spool folder holds. */
export interface SpoolReport {
  readonly entries: SpoolEntry[];
  readonly segments: number;
  readonly bytes: number;
  readonly waiting: number;
  readonly damaged: number;
  /** Bytes that belong to no record. */
  readonly damagedBytes: number;
  /** What no batch has said yet: samples gathered but not in a batch, batches given up. Undefined without a state. */
  readonly unreported: Ledger | undefined;
  /** Names of refused batches that were set aside. */
  readonly rejected: string[];
}

/**
 * Reads a spool folder without changing it; the agent may be running.
 * @throws what the file system reports, when the folder cannot be read
 */
export function readSpool(folder: string, fs: SpoolFs = nodeFs): SpoolReport {
  const names = fs.list(folder);
  const state = names.includes(STATE_FILE) ? stateOf(fs, folder) : undefined;
  const entries: SpoolEntry[] = [];
  let bytes = 0;
  let damagedBytes = 0;
  const numbers = segmentNumbers(fs, folder);
  for (const number of numbers) {
    const segment = new Segment(fs, folder, number);
    try {
      bytes += segment.size;
      damagedBytes += readSegment(segment, state ?? firstState, entries);
    } finally {
      segment.file.close();
    }
  }
  return {
    entries,
    segments: numbers.length,
    bytes,
    waiting: entries.filter(({ status }) => status === 'waiting').length,
    damaged: entries.filter(({ status }) => status === 'damaged').length,
    damagedBytes,
    unreported: state && ledgerSince(state.owed, state.end.said),
    rejected: names.includes('rejected') ? rejectedIn(fs, folder) : [],
  };
}

function readSegment(segment: Segment, state: Parameters<typeof isDead>[0], entries: SpoolEntry[]): number {
  let end = 0;
  let damagedBytes = 0;
  for (const place of segment.records()) {
    const { header } = place;
    const isSound = segment.payload(place) !== undefined;
    const status = !isSound ? 'damaged' : isDead(state, header.ordinal) ? 'settled' : 'waiting';
    entries.push({
      segment: segment.path,
      offset: place.offset,
      bytes: place.length,
      ordinal: header.ordinal,
      bootId: header.bootId,
      sequence: header.sequence,
      createdMs: header.createdMs,
      firstWindow: header.firstWindow,
      lastWindow: header.lastWindow,
      kept: header.kept,
      taken: header.says.taken,
      lost: header.says.lost,
      status,
      damagedBytesBefore: place.offset - end,
    });
    damagedBytes += place.offset - end;
    end = Math.min(place.offset + place.length, segment.size);
  }
  return damagedBytes + (segment.size - end);
}

function stateOf(fs: SpoolFs, folder: string) {
  const file = fs.open(`${folder}/${STATE_FILE}`);
  try {
    return newestSlot(file);
  } finally {
    file.close();
  }
}

function rejectedIn(fs: SpoolFs, folder: string): string[] {
  try {
    return fs.list(`${folder}/rejected`).sort();
  } catch (error) {
    if (isFileSystemError(error)) return [];
    throw error;
  }
}
