import { SPOOLED_HOURS_MAX, type SpoolAccount, type SpooledHour } from '../../core/batch/spool-account.ts';
import type { RecordHeader } from './spool-record.ts';

const HOUR_MS = 3_600_000;

/** What is remembered of a batch that waits: about 60 bytes. A flush every 10 s for 72 hours makes 1.5 MB. */
interface WaitingBatch {
  readonly ordinal: number;
  readonly bootId: string;
  readonly sequence: number;
  readonly hourMs: number;
  readonly kept: number;
  readonly dropped: number;
  readonly lost: number;
}

/** The batches of a spool that are neither settled nor given up, so that what is on disk is known without reading it. */
export class WaitingBatches {
  /** By ordinal. */
  readonly #batches: WaitingBatch[] = [];

  /** Notes a record, after all that are noted. */
  add({ ordinal, bootId, sequence, firstWindow, kept, says }: RecordHeader): void {
    const hourMs = firstWindow - (firstWindow % HOUR_MS);
    const dropped = says.taken - kept + says.droppedSamples;
    this.#batches.push({ ordinal, bootId, sequence, hourMs, kept, dropped, lost: says.lost });
  }

  /** Forgets those with ordinals in [from, until). */
  remove(from: number, until: number): void {
    const start = this.#firstFrom(from);
    this.#batches.splice(start, this.#firstFrom(until) - start);
  }

  /** What waits, by hour and boot; newest hours first, as many as a heartbeat carries. */
  account(spoolId: string): SpoolAccount {
    const hours = new Map<string, { -readonly [K in keyof SpooledHour]: SpooledHour[K] }>();
    let samples = 0;
    for (const { bootId, sequence, hourMs, kept, dropped, lost } of this.#batches) {
      samples += kept;
      const key = `${hourMs} ${bootId}`;
      let hour = hours.get(key);
      if (hour === undefined) {
        hour = { bootId, hourMs, first: sequence, end: sequence, batches: 0, kept: 0, dropped: 0, lost: 0 };
        hours.set(key, hour);
      }
      hour.first = Math.min(hour.first, sequence);
      hour.end = Math.max(hour.end, sequence + 1);
      hour.batches++;
      hour.kept += kept;
      hour.dropped += dropped;
      hour.lost += lost;
    }
    // The sort is stable: of two boots within an hour the later one comes first.
    const newestFirst = [...hours.values()].reverse().sort((a, b) => b.hourMs - a.hourMs);
    return {
      spoolId,
      batches: this.#batches.length,
      samples,
      hours: newestFirst.slice(0, SPOOLED_HOURS_MAX),
    };
  }

  /** Index of the first whose ordinal is at least this. */
  #firstFrom(ordinal: number): number {
    let [low, high] = [0, this.#batches.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#batches[middle]!.ordinal < ordinal) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
