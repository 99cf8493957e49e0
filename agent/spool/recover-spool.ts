import { type Ledger, latestLedger } from './ledger.ts';
import { Segment, segmentNumbers } from './segment.ts';
import type { SpoolFs } from './spool-fs.ts';
import type { RecordHeader } from './spool-record.ts';
import { firstState, type Mark, type SpoolState } from './spool-state.ts';
import { WaitingBatches } from './waiting-batches.ts';

/** What was found in a spool folder when it was opened. */
export interface RecoveredSpool {
  readonly state: SpoolState;
  /** Oldest first; files that hold nothing unsettled are gone. */
  readonly segments: Segment[];
  /** Of the records with sound headers; damaged payloads are found when they are read. */
  readonly waiting: WaitingBatches;
  /** Bytes cut off the end of the last segment: a record that was being written when the agent died. */
  readonly tornBytes: number;
}

/** Whether a record is settled, or given up and counted. */
export function isDead(state: Pick<SpoolState, 'settled' | 'skip'>, ordinal: number): boolean {
  if (ordinal < state.settled.ordinal) return true;
  return ordinal >= state.skip.from.ordinal && ordinal < state.skip.to.ordinal;
}

/**
 * Opens the segments of a folder and brings them and the state into one line: a record that is whole counts, whatever
 * the state knew of it; what the state knew and no record shows is left to be counted as damaged.
 */
export function recoverSpool(fs: SpoolFs, folder: string, known: SpoolState | undefined): RecoveredSpool {
  const segments = segmentNumbers(fs, folder).map((number) => new Segment(fs, folder, number));
  const tornBytes = cutTornTail(segments.at(-1));
  fs.syncFolder(folder);
  let first: Mark | undefined;
  let end: Mark = known?.end ?? firstState.end;
  const headers: RecordHeader[] = [];
  for (const segment of segments) {
    for (const { header } of segment.records()) {
      segment.note(header);
      headers.push(header);
      first ??= { ordinal: header.ordinal, said: header.before };
    }
    if (segment.end !== undefined && segment.end.ordinal > end.ordinal) end = segment.end;
  }
  const state =
    known === undefined ? rebuiltState(first ?? end, end) : { ...known, end, owed: later(known.owed, end) };
  const waiting = waitingOf(headers, state);
  return { state, segments: removeDead(fs, folder, segments, state), waiting, tornBytes };
}

function waitingOf(headers: readonly RecordHeader[], state: SpoolState): WaitingBatches {
  const waiting = new WaitingBatches();
  for (const header of headers) if (!isDead(state, header.ordinal)) waiting.add(header);
  return waiting;
}

/** Without a state, everything that is there is sent again: the hub knows what it has. */
function rebuiltState(first: Mark, end: Mark): SpoolState {
  return { generation: 0, owed: end.said, end, settled: first, skip: { from: first, to: first } };
}

function later(owed: Ledger, end: Mark): Ledger {
  return latestLedger(owed, end.said);
}

/** Bytes after the last whole record are the rest of a write that never returned. */
function cutTornTail(last: Segment | undefined): number {
  if (last === undefined) return 0;
  let sound = 0;
  for (const place of last.records()) {
    if (last.payload(place) !== undefined) sound = place.offset + place.length;
  }
  const torn = last.size - sound;
  // Also when nothing is cut: a record that was written but not synced is about to be relied on.
  last.truncate(sound);
  return torn;
}

function removeDead(fs: SpoolFs, folder: string, segments: Segment[], state: SpoolState): Segment[] {
  const isLive = (segment: Segment) =>
    [...segment.records()].some(({ header }) => !isDead(state, header.ordinal));
  const live = segments.filter((segment) => {
    if (isLive(segment)) return true;
    segment.file.close();
    fs.remove(segment.path);
    return false;
  });
  if (live.length < segments.length) fs.syncFolder(folder);
  return live;
}
