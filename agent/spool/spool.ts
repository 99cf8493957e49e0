import type { SpoolAccount } from '../../core/batch/spool-account.ts';
import { addLedgers, emptyLedger, givenUp, type Ledger, ledgerSince } from './ledger.ts';
import { isDead, recoverSpool } from './recover-spool.ts';
import { RejectedFolder } from './rejected-folder.ts';
import { markAfter, Segment } from './segment.ts';
import { isFileSystemError, isOutOfSpace, type SpoolFs } from './spool-fs.ts';
import { spoolIdOf } from './spool-id.ts';
import { encodeRecord, type RecordHeader, type RecordPlace } from './spool-record.ts';
import { type Mark, type SpoolState, StateFile } from './spool-state.ts';
import type { WaitingBatches } from './waiting-batches.ts';

export interface SpoolOptions {
  readonly fs: SpoolFs;
  readonly folder: string;
  /** Of this start of the agent; never used before. */
  readonly bootId: string;
  /** Most bytes of all segment files together. */
  readonly bytesMax: number;
  /** Batches older than this are given up, ms. */
  readonly ageMaxMs: number;
  /** A segment is closed at about this size. Default: a 64th of bytesMax, at least 64 KiB, at most 8 MiB. */
  readonly segmentBytes?: number;
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void;
}

/** A batch that waits for its upload. */
export interface SpooledBatch {
  readonly header: RecordHeader;
  readonly payload: Uint8Array;
}

/** What a batch declares, decided at the moment it is spooled. */
export interface BatchClaim {
  readonly sequence: number;
  readonly taken: number;
  readonly lost: number;
  readonly kept: number;
  readonly droppedBatches: number;
  readonly droppedBatchSamples: number;
}

export interface NewBatch {
  /** Samples in the batch. */
  readonly kept: number;
  /** Samples that the batch answers for, at least `kept`: the rest of them was dropped. */
  readonly taken: number;
  readonly lost: number;
  readonly firstWindow: number;
  readonly lastWindow: number;
  readonly createdMs: number;
  /** Writes the batch. Called again when making room for it changed what it has to say. */
  encode(claim: BatchClaim): Uint8Array;
}

/** Why batches were given up. */
export type DropReason = 'space' | 'age' | 'refused' | 'damaged';

const SEGMENT_BYTES_MIN = 64 * 1024;
const SEGMENT_BYTES_MAX = 8 * 1024 * 1024;
const SEGMENT_AGE_MAX_MS = 3_600_000;

/**
 * Batches on disk between the sampler and the hub: append-only segment files and a small state. Every sample that was
 * announced with `gather` ends in exactly one place: in a batch, in a batch's `dropped`, or in the report of batches
 * that were given up, which the next batch carries. That holds across kill -9 at any write, a full disk and damage.
 *
 * The oldest batch is the only one that may be on its way to the hub, so it is never given up for room or age: nobody
 * could tell whether the hub has it. All others are given up oldest first, a segment at a time.
 */
export class Spool {
  readonly #options: SpoolOptions;
  readonly #segmentBytes: number;
  readonly #rejected: RejectedFolder;
  readonly #stateFile: StateFile;
  readonly #segments: Segment[];
  readonly #id: string;
  readonly #waiting: WaitingBatches;
  #state: SpoolState;
  #sequence = 0;
  /** Where the search for the next record goes on, in the oldest segment. */
  #cursor = 0;
  #head: (SpooledBatch & { place: RecordPlace }) | undefined;
  #nextSegment: number;
  /** Batches given up since the start, by reason. */
  readonly dropped: Record<DropReason, { batches: number; samples: number }> = {
    space: { batches: 0, samples: 0 },
    age: { batches: 0, samples: 0 },
    refused: { batches: 0, samples: 0 },
    damaged: { batches: 0, samples: 0 },
  };
  /** What the start found: samples that had been gathered and were in no batch when the agent before this one died. */
  readonly recovered: { tornBytes: number; samples: number };

  /** @throws what the file system reports, when the folder cannot be read or written */
  constructor(options: SpoolOptions) {
    this.#options = options;
    this.#segmentBytes =
      options.segmentBytes ??
      Math.min(SEGMENT_BYTES_MAX, Math.max(SEGMENT_BYTES_MIN, Math.floor(options.bytesMax / 64)));
    options.fs.makeFolder(options.folder);
    const { file, state: known } = StateFile.open(options.fs, options.folder);
    this.#id = spoolIdOf(options.fs, options.folder, options.bootId);
    const { state, segments, waiting, tornBytes } = recoverSpool(options.fs, options.folder, known);
    this.#stateFile = file;
    this.#state = state;
    this.#segments = segments;
    this.#waiting = waiting;
    this.#nextSegment = (segments.at(-1)?.number ?? state.end.ordinal) + 1;
    this.#rejected = new RejectedFolder(options);
    this.#writeState();
    this.recovered = { tornBytes, samples: this.unreported.taken };
  }

  /** What no batch has said yet. */
  get unreported(): Ledger {
    return ledgerSince(this.#state.owed, this.#state.end.said);
  }

  /** Bytes of the batches that wait. */
  get waitingBytes(): number {
    return this.bytes - (this.#head?.place.offset ?? Math.min(this.#cursor, this.#segments[0]?.size ?? 0));
  }

  /** Samples that the engine took and that were announced here, over the life of the folder. */
  get gathered(): number {
    return this.#state.owed.taken;
  }

  /** Batches that wait. */
  get batches(): number {
    const { settled, skip, end } = this.#state;
    return end.ordinal - settled.ordinal - (skip.to.ordinal - skip.from.ordinal);
  }

  /** What waits, by hour of its windows. */
  get account(): SpoolAccount {
    return this.#waiting.account(this.#id);
  }

  /** Bytes of all segment files. */
  get bytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.size, 0);
  }

  /** Notes samples that the engine took, before any of them is in a batch: if the agent dies now, they are missed. */
  gather(counted: { taken: number; lost: number }): void {
    this.#state = { ...this.#state, owed: addLedgers(this.#state.owed, { ...emptyLedger, ...counted }) };
    this.#writeState();
  }

  /**
   * Spools a batch durably. Its number is used only once the batch is on disk, so numbers have no gaps.
   * @returns false when there is no room even after everything that may be given up was; its samples stay unreported
   */
  append(batch: NewBatch): boolean {
    for (;;) {
      const header = this.#headerOf(batch);
      const record = encodeRecord(header, batch.encode(claimOf(header)));
      const before = this.#state.owed.droppedBatches;
      if (!this.#makeRoom(record.length)) return false;
      if (this.#state.owed.droppedBatches !== before) continue;
      try {
        this.#write(header, record, batch.createdMs);
        return true;
      } catch (error) {
        if (!isFileSystemError(error)) throw error;
        if (isOutOfSpace(error) && this.#giveUpOldest('space')) continue;
        this.#options.log(
          'error',
          `cannot spool a batch of ${batch.kept} samples: ${(error as Error).message}`,
        );
        return false;
      }
    }
  }

  /** The oldest batch, read and checked, or undefined when none waits. Damaged ones are counted and stepped over. */
  peek(): SpooledBatch | undefined {
    while (this.#head === undefined) {
      const segment = this.#segments[0];
      const place = segment?.find(this.#cursor);
      if (segment !== undefined && place !== undefined) this.#consider(segment, place);
      else if (this.#segments.length > 1) this.#removeSegment(0);
      else {
        if (this.#state.settled.ordinal < this.#state.end.ordinal) this.#lose(this.#state.end, 'damaged');
        return undefined;
      }
    }
    return this.#head;
  }

  /** The hub has the oldest batch. Does nothing when `ordinal` is not the oldest. */
  acknowledge(ordinal: number): void {
    if (this.#head?.header.ordinal !== ordinal) return;
    this.#settle(markAfter(this.#head.header));
    this.#writeState();
  }

  /** The hub will never take the oldest batch: it is set aside with the reason, and counted as dropped. */
  reject(ordinal: number, reason: string): void {
    const head = this.#head;
    if (head?.header.ordinal !== ordinal) return;
    this.#rejected.keep(head, reason);
    this.#lose(markAfter(head.header), 'refused');
  }

  /** Gives up what is older than the limit, a segment at a time. @param nowMs on the hub's clock, which must be known */
  expire(nowMs: number): void {
    while (this.#giveUpOldest('age', nowMs - this.#options.ageMaxMs)) {}
  }

  close(): void {
    for (const segment of this.#segments) segment.file.close();
    this.#stateFile.close();
  }

  #headerOf(batch: NewBatch): RecordHeader {
    const { end } = this.#state;
    return {
      ordinal: end.ordinal,
      bootId: this.#options.bootId,
      sequence: this.#sequence + 1,
      createdMs: batch.createdMs,
      firstWindow: batch.firstWindow,
      lastWindow: batch.lastWindow,
      kept: batch.kept,
      before: end.said,
      says: { ...this.unreported, taken: batch.taken, lost: batch.lost },
    };
  }

  #write(header: RecordHeader, record: Uint8Array, createdMs: number): void {
    const segment = this.#activeSegment(record.length, createdMs);
    try {
      segment.file.write(segment.size, record);
      segment.file.sync();
    } catch (error) {
      // Whatever part was written must not count, nor hold room. When cutting fails too, the next write overwrites it.
      try {
        segment.truncate(segment.size);
      } catch {}
      throw error;
    }
    segment.size += record.length;
    segment.note(header);
    this.#sequence = header.sequence;
    this.#state = { ...this.#state, end: markAfter(header) };
    this.#waiting.add(header);
    this.#writeState();
  }

  #activeSegment(bytes: number, createdMs: number): Segment {
    const last = this.#segments.at(-1);
    if (last !== undefined) {
      const isFull = last.size > 0 && last.size + bytes > this.#segmentBytes;
      if (!isFull && !(createdMs - last.oldestCreatedMs > SEGMENT_AGE_MAX_MS)) return last;
    }
    const { fs, folder } = this.#options;
    const segment = new Segment(fs, folder, this.#nextSegment++);
    this.#segments.push(segment);
    fs.syncFolder(folder);
    return segment;
  }

  #makeRoom(bytes: number): boolean {
    while (this.bytes + bytes > this.#options.bytesMax) {
      if (this.#giveUpOldest('space')) continue;
      const limit = `the limit CINDERBLOCK_SPOOL_BYTES_MAX is ${this.#options.bytesMax} bytes`;
      this.#options.log('warn', `no room in the spool for a batch of ${bytes} bytes: ${limit}`);
      return false;
    }
    return true;
  }

  /**
   * Frees the oldest segment but for the oldest batch.
   * @param createdBefore only when all that is freed is older than this
   * @returns false when there is nothing to free
   */
  #giveUpOldest(reason: DropReason, createdBefore = Number.POSITIVE_INFINITY): boolean {
    const head = this.peek();
    const [first, second] = this.#segments;
    if (first === undefined) return false;
    if (head === undefined) return reason === 'space' && this.#cutSettled(first);
    const from = markAfter(head.header);
    const reached = this.#state.skip.to.ordinal > from.ordinal ? this.#state.skip.to : from;
    const inFirst = first.end!.ordinal > reached.ordinal;
    const victim = inFirst ? first : second;
    if (victim === undefined || victim.size === 0 || victim.newestCreatedMs >= createdBefore) return false;
    const to = victim.end !== undefined && victim.end.ordinal > reached.ordinal ? victim.end : reached;
    this.#countLost(to.ordinal - reached.ordinal, ledgerSince(to.said, reached.said), reason);
    this.#waiting.remove(reached.ordinal, to.ordinal);
    this.#state = { ...this.#state, skip: { from, to } };
    this.#writeState();
    return inFirst ? this.#cut(first, this.#cursor) : this.#removeSegment(1);
  }

  /** When nothing waits, the last segment holds only what the hub has. */
  #cutSettled(segment: Segment): boolean {
    if (segment.size === 0) return false;
    this.#cursor = 0;
    return this.#cut(segment, 0);
  }

  /** Makes a record the oldest batch, or steps over it when it is settled, given up or damaged. */
  #consider(segment: Segment, place: RecordPlace): void {
    const { header } = place;
    this.#cursor = place.offset + place.length;
    if (isDead(this.#state, header.ordinal)) return;
    if (header.ordinal > this.#state.settled.ordinal) {
      this.#lose({ ordinal: header.ordinal, said: header.before }, 'damaged');
    }
    const payload = segment.payload(place);
    if (payload === undefined) this.#lose(markAfter(header), 'damaged');
    else this.#head = { header, payload, place };
  }

  /** Everything from the oldest unsettled record up to `to` never reaches the hub, and is counted. */
  #lose(to: Mark, reason: DropReason): void {
    const { settled, skip } = this.#state;
    const counted =
      skip.from.ordinal >= settled.ordinal && skip.to.ordinal <= to.ordinal ? skip : { from: to, to };
    const all = ledgerSince(to.said, settled.said);
    const batches = to.ordinal - settled.ordinal - (counted.to.ordinal - counted.from.ordinal);
    this.#countLost(batches, ledgerSince(all, ledgerSince(counted.to.said, counted.from.said)), reason);
    this.#settle(to);
    this.#writeState();
  }

  #countLost(batches: number, said: Ledger, reason: DropReason): void {
    const loss = givenUp(batches, said);
    this.#state = { ...this.#state, owed: addLedgers(this.#state.owed, loss) };
    this.dropped[reason].batches += batches;
    this.dropped[reason].samples += said.taken;
    const why = {
      space: 'no room',
      age: 'too old',
      refused: 'refused by the hub',
      damaged: 'damaged on disk',
    };
    this.#options.log('warn', `gave up ${batches} spooled batches of ${said.taken} samples: ${why[reason]}`);
  }

  #settle(mark: Mark): void {
    const { skip } = this.#state;
    const settled = skip.from.ordinal <= mark.ordinal && mark.ordinal < skip.to.ordinal ? skip.to : mark;
    const rest = settled.ordinal >= skip.to.ordinal ? { from: settled, to: settled } : skip;
    this.#head = undefined;
    this.#waiting.remove(0, settled.ordinal);
    this.#state = { ...this.#state, settled, skip: rest };
  }

  #cut(segment: Segment, length: number): boolean {
    return this.#attempt(`cut ${segment.path}`, () => segment.truncate(length));
  }

  #removeSegment(index: number): boolean {
    const { fs, folder } = this.#options;
    const [segment] = this.#segments.splice(index, 1);
    if (index === 0) this.#cursor = 0;
    return this.#attempt(`remove ${segment!.path}`, () => {
      segment!.file.close();
      fs.remove(segment!.path);
      fs.syncFolder(folder);
    });
  }

  /** A state that cannot be written costs exactness after a crash, not the data: it is said and written again later. */
  #writeState(): void {
    this.#attempt('write the spool state', () => this.#stateFile.write(this.#state));
  }

  /** @returns whether the file system did it; why not is logged */
  #attempt(what: string, act: () => void): boolean {
    try {
      act();
      return true;
    } catch (error) {
      if (!isFileSystemError(error)) throw error;
      this.#options.log('error', `cannot ${what}: ${(error as Error).message}`);
      return false;
    }
  }
}

function claimOf({ sequence, kept, says }: RecordHeader): BatchClaim {
  const { taken, lost, droppedBatches, droppedSamples } = says;
  return { sequence, kept, taken, lost, droppedBatches, droppedBatchSamples: droppedSamples };
}
