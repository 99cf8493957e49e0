import { SPOOLED_HOURS_MAX, type SpoolAccount, type SpooledHour } from '../../core/batch/spool-account.ts';
import type { RecordHeader } from './spool-record.ts';

const HOUR_MS = 3_600_000;

/** Shared by the batches of a boot and an hour. */
interface BootHour {
  readonly bootId: string;
  readonly hourMs: number;
}

/** What is remembered of a batch that waits: 90 bytes. A flush every 10 s for 72 hours makes 2.3 MB. */
interface WaitingBatch {
  readonly of: BootHour;
  readonly ordinal: number;
  readonly sequence: number;
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
    const last = this.#batches.at(-1)?.of;
    const of = last?.bootId === bootId && last.hourMs === hourMs ? last : { bootId, hourMs };
    this.#batches.push({ of, ordinal, sequence, kept, dropped, lost: says.lost });
  }

  /** Forgets those with ordinals in [from, until). */
  remove(from: number, until: number): void {
    const start = this.#firstFrom(from);
    this.#batches.splice(start, this.#firstFrom(until) - start);
  }

  /** What waits, by hour and boot; newest hours first, as many as a heartbeat carries. */
  account(spoolId: string): SpoolAccount {
    const hours = new Map<string, Sums>();
    let samples = 0;
    let last: BootHour | undefined;
    let hour: Sums | undefined;
    for (const { of, sequence, kept, dropped, lost } of this.#batches) {
      if (of !== last || hour === undefined) hour = sumsOf(hours, of, sequence);
      last = of;
      samples += kept;
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

type Sums = { -readonly [K in keyof SpooledHour]: SpooledHour[K] };

function sumsOf(hours: Map<string, Sums>, { bootId, hourMs }: BootHour, sequence: number): Sums {
  const key = `${hourMs} ${bootId}`;
  let sums = hours.get(key);
  if (sums === undefined) {
    sums = { bootId, hourMs, first: sequence, end: sequence, batches: 0, kept: 0, dropped: 0, lost: 0 };
    hours.set(key, sums);
  }
  return sums;
}
