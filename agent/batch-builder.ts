import { type BatchOrigin, batchIdOf } from '../core/batch/batch-origin.ts';
import { BlockBuilder } from '../core/block/block-builder.ts';
import { BlockWriter } from '../core/block/block-writer.ts';
import type { Codec } from '../core/block/codec.ts';
import { timeRangeOf } from '../core/block/directory.ts';
import { MalformedInputError } from '../core/errors.ts';
import { labelValue, SERVICE_NAME } from '../core/labels/labels.ts';
import { addOtlp } from '../core/otlp/decode-otlp.ts';
import type { DatasetBuilder } from '../core/profile/dataset-builder.ts';
import { sampleCount } from '../core/profile/profile-rows.ts';
import type { DropRule } from './drop-rules.ts';
import { foldWindow } from './fold-window.ts';
import type { ProcessLabels } from './naming/process-labels.ts';
import { halve } from './split-batch.ts';
import type { BatchClaim, Spool } from './spool/spool.ts';

/** A batch of about this size travels inside a queue message on AWS; a longer one is parted. */
export const BATCH_BYTES_TARGET = 300 * 1024;
/** Most series of one window. */
export const WINDOW_SERIES_MAX = 2000;

/** What an engine counted in one window. */
export interface WindowStatus {
  /** The window is [windowStartMs, windowEndMs), ms since epoch on the hub's clock. */
  readonly windowStartMs: number;
  readonly windowEndMs: number;
  /** Samples that the engine read; what of them is not in its profiles it dropped. */
  readonly taken: number;
  /** Samples that the kernel could not deliver. */
  readonly lost: number;
}

/** Samples since the start. taken = kept + dropped. */
export interface RunningCounters {
  taken: number;
  kept: number;
  lost: number;
  dropped: number;
  droppedByRules: number;
  overflowed: number;
}

export interface BatchBuilderOptions {
  readonly origin: Pick<BatchOrigin, 'cluster' | 'node' | 'bootId' | 'agentVersion' | 'engine'>;
  readonly labels: ProcessLabels;
  readonly drop: DropRule;
  readonly spool: Pick<Spool, 'gather' | 'append' | 'unreported'>;
  readonly codec: Codec;
  /** Now, ms since epoch on the hub's clock. */
  readonly now: () => number;
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void;
  readonly seriesMax?: number;
  readonly bytesTarget?: number;
}

/** Thrown while encoding a batch that is to be parted first. */
class BatchTooLong extends Error {}

/**
 * Turns what an engine sends, window by window, into spooled batches. The samples of a window are announced to the
 * spool's ledger before anything else, and the last batch of a flush answers for all that no other batch did: what was
 * kept and what was dropped sum up to what was taken, always.
 */
export class BatchBuilder {
  readonly #options: BatchBuilderOptions;
  #window = new BlockBuilder();
  #batch = new BlockBuilder();
  /** Start of the newest window in the batch. */
  #newestStart = 0;
  readonly counters: RunningCounters = {
    taken: 0,
    kept: 0,
    lost: 0,
    dropped: 0,
    droppedByRules: 0,
    overflowed: 0,
  };

  constructor(options: BatchBuilderOptions) {
    this.#options = options;
  }

  /** Adds profiles of the open window: OTLP ProfilesData. What cannot be read is counted as dropped when it closes. */
  addProfiles(bytes: Uint8Array): void {
    try {
      const { rejectedProfiles, message } = addOtlp(bytes, {
        now: this.#options.now(),
        target: (resource) => {
          const labels = this.#options.labels.of(resource);
          return { dataset: this.#window.dataset(labelValue(labels, SERVICE_NAME)), labels, batch: 0 };
        },
        sampleLabel: (attribute) => (attribute === 'thread.name' ? 'comm' : undefined),
      });
      if (rejectedProfiles > 0)
        this.#options.log('warn', `the engine sent ${rejectedProfiles} invalid profiles: ${message}`);
    } catch (error) {
      if (!(error instanceof MalformedInputError)) throw error;
      this.#options.log('error', `the engine sent profiles that cannot be read: ${error.message}`);
    }
  }

  /**
   * Ends the open window.
   * @param status undefined when the engine died before it said; then what came is all that counts
   */
  closeWindow(status: WindowStatus | undefined): void {
    const window = this.#window;
    this.#window = new BlockBuilder();
    const start = status?.windowStartMs ?? timeRangeOf(timesOf(window)).minTime;
    // A second part of the same window (after a restart of the engine) goes into a batch of its own: its rows would
    // pass for duplicates of the first part's. And no batch spans two hours, so that the hub's ledger, which counts a
    // batch where it begins, and blocks count the same windows into the same hour.
    if (start <= this.#newestStart || hourOf(start) !== hourOf(this.#newestStart)) this.flush();
    this.#newestStart = Math.max(this.#newestStart, start);
    const { labels, drop, seriesMax, spool } = this.#options;
    const arrived = samplesIn(window.datasets());
    const taken = Math.max(status?.taken ?? 0, arrived);
    const lost = status?.lost ?? 0;
    if (taken > 0 || lost > 0) spool.gather({ taken, lost });
    const limit = seriesMax ?? WINDOW_SERIES_MAX;
    const folded = foldWindow(window, this.#batch, { drop, seriesMax: limit, overflow: labels.overflow });
    this.#count({ taken, lost, ...folded });
  }

  /** Spools everything that was gathered, as one batch or several. */
  flush(): void {
    const datasets = this.#batch.datasets().filter((dataset) => samplesIn([dataset]) > 0);
    this.#batch = new BlockBuilder();
    this.#newestStart = 0;
    const parts = datasets.length === 0 ? [] : [datasets];
    for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
      const isLast = parts.length === 0;
      try {
        this.#spool(part, isLast, this.#options.bytesTarget ?? BATCH_BYTES_TARGET);
      } catch (error) {
        if (!(error instanceof BatchTooLong)) throw error;
        const halves = halve(part);
        if (halves === undefined) this.#spool(part, isLast, Number.POSITIVE_INFINITY);
        else parts.push(halves[1], halves[0]);
      }
    }
  }

  #count(window: {
    taken: number;
    lost: number;
    kept: number;
    droppedByRules: number;
    overflowed: number;
  }): void {
    const { counters } = this;
    counters.taken += window.taken;
    counters.lost += window.lost;
    counters.kept += window.kept;
    counters.dropped += window.taken - window.kept;
    counters.droppedByRules += window.droppedByRules;
    counters.overflowed += window.overflowed;
  }

  /** @param isLast whether the batch answers for all that was not said yet */
  #spool(datasets: readonly DatasetBuilder[], isLast: boolean, bytesTarget: number): void {
    const { spool, now } = this.#options;
    const kept = samplesIn(datasets);
    const { taken, lost } = isLast ? spool.unreported : { taken: kept, lost: 0 };
    const { minTime, maxTime } = timeRangeOf(timesOf({ datasets: () => datasets }));
    const isSpooled = spool.append({
      kept,
      taken,
      lost,
      firstWindow: minTime,
      lastWindow: maxTime,
      createdMs: now(),
      encode: (claim) => {
        const bytes = this.#encode(datasets, claim, { firstWindow: minTime, lastWindow: maxTime });
        if (bytes.length > bytesTarget) throw new BatchTooLong();
        return bytes;
      },
    });
    if (isSpooled) return;
    this.counters.kept -= kept;
    this.counters.dropped += kept;
  }

  #encode(
    datasets: readonly DatasetBuilder[],
    claim: BatchClaim,
    windows: Pick<BatchOrigin, 'firstWindow' | 'lastWindow'>,
  ): Uint8Array {
    const { sequence, taken, lost, kept, droppedBatches, droppedBatchSamples } = claim;
    const counted = {
      sequence,
      taken,
      lost,
      kept,
      dropped: taken - kept,
      droppedBatches,
      droppedBatchSamples,
    };
    const origin: BatchOrigin = { ...this.#options.origin, ...windows, ...counted };
    const batchId = batchIdOf(origin);
    const writer = new BlockWriter(this.#options.codec);
    for (const dataset of datasets) writer.addDataset(dataset);
    const blockId = batchId.replaceAll('/', '_');
    return writer.finish({ blockId, tenant: '', level: 0, resolutionSeconds: 0, origin }, [batchId]).bytes;
  }
}

function hourOf(timeMs: number): number {
  return Math.floor(timeMs / 3_600_000);
}

function samplesIn(datasets: Iterable<DatasetBuilder>): number {
  let samples = 0;
  for (const dataset of datasets) for (const rows of dataset.types.values()) samples += sampleCount(rows);
  return samples;
}

/** Time range of every row. */
function* timesOf(block: {
  datasets(): readonly DatasetBuilder[];
}): Generator<{ minTime: number; maxTime: number }> {
  for (const dataset of block.datasets()) {
    for (const rows of dataset.types.values()) {
      for (let row = 0; row < rows.count; row++) {
        const minTime = rows.start[row]!;
        yield { minTime, maxTime: minTime + Math.max(1, rows.duration[row]!) };
      }
    }
  }
}
