import type { CompactionStep } from '../../core/compaction/plan-compaction.ts';
import type { CompactionReport } from '../../pipeline/compact-blocks.ts';
import type { RetentionReport } from '../../pipeline/enforce-retention.ts';
import type { Hub } from '../../pipeline/hub.ts';
import { type BlockRow, MAX_CATALOG_PAGE } from '../../storage/block-catalog.ts';
import { sumsOfBlock } from './check-blocks.ts';
import type { ExpectedSums } from './expected-sums.ts';
import type { SimulatedHub } from './simulated-hub.ts';

/** Blocks of one level and resolution. */
export interface Holding {
  readonly level: number;
  readonly resolutionSeconds: number;
  blocks: number;
  bytes: number;
  samples: number;
}

/** What there is, and what was asked of storage, at the end of a month. Counts grow from the beginning on. */
export interface Month {
  readonly days: number;
  readonly holdings: readonly Holding[];
  readonly batches: number;
  /** Port and method → calls. */
  readonly calls: Readonly<Record<string, number>>;
  /** What worked → ms of CPU. */
  readonly cpuMs: Readonly<Record<string, number>>;
}

/** All jobs of one step. */
export interface StepFigures {
  jobs: number;
  blocksIn: number;
  blocksOut: number;
  bytesIn: number;
  bytesOut: number;
  samples: number;
  cpuMs: number;
}

export type Outcome = 'accepted' | 'duplicate' | 'refused' | 'failed';

export type FiguresResult = ReturnType<Figures['result']>;

/** What a simulation measures while it runs. */
export class Figures {
  readonly months: Month[] = [];
  readonly steps = new Map<CompactionStep, StepFigures>();
  readonly outcomes: Record<Outcome, number> = { accepted: 0, duplicate: 0, refused: 0, failed: 0 };
  /** Sums that were compared with what came, and were right: one that is not ends the run. */
  compared = 0;
  /** Objects that deaths left behind, and that the sweeper deleted. */
  orphans = 0;
  expiredBlocks = 0;
  expiredBytes = 0;
  failedJobs = 0;
  skippedJobs = 0;
  /** Of jobs that failed while one of their blocks was damaged. */
  damagedJobs = 0;
  expiryJobs = 0;
  rewritten = 0;
  deletionsDone = 0;
  deletedSamples = 0;
  scrubbedBlocks = 0;
  /** How long deletions took until it was proven that no block holds anything of them, ms. */
  readonly provenMs: number[] = [];
  peakDatasetBytes = 0;
  largestJobBytes = 0;
  readonly #events = new Map<string, number>();
  readonly #cpuMs = new Map<string, number>();

  /** Something went wrong, or was done, on purpose. */
  event(what: string, times = 1): void {
    this.#events.set(what, (this.#events.get(what) ?? 0) + times);
  }

  proven(afterMs: number): void {
    this.provenMs.push(afterMs);
  }

  batch(outcome: Outcome): void {
    this.outcomes[outcome]++;
  }

  /** Runs work and adds its CPU time, that of an attempt that failed too. */
  async timed<T>(what: string, work: () => Promise<T>): Promise<T> {
    const before = process.cpuUsage();
    try {
      return await work();
    } finally {
      const { user, system } = process.cpuUsage(before);
      this.#cpuMs.set(what, (this.#cpuMs.get(what) ?? 0) + (user + system) / 1000);
    }
  }

  async job(step: CompactionStep, run: () => Promise<CompactionReport>): Promise<CompactionReport> {
    const before = this.#cpuMs.get('compaction') ?? 0;
    const report = await this.timed('compaction', run);
    const figures = this.#step(step);
    for (const key of ['jobs', 'blocksIn', 'blocksOut', 'bytesIn', 'bytesOut', 'samples'] as const)
      figures[key] += report[key];
    figures.cpuMs += (this.#cpuMs.get('compaction') ?? 0) - before;
    this.skippedJobs += report.skipped;
    this.peakDatasetBytes = Math.max(this.peakDatasetBytes, report.peakDatasetBytes);
    this.largestJobBytes = Math.max(this.largestJobBytes, report.bytesIn);
    return report;
  }

  async retention(run: () => Promise<RetentionReport>): Promise<void> {
    const { expired, expiredBytes, rewritten } = await this.timed('retention', run);
    this.expiredBlocks += expired;
    this.expiredBytes += expiredBytes;
    this.expiryJobs += rewritten;
  }

  async endMonth(hub: SimulatedHub, days: number): Promise<void> {
    const holdings = new Map<string, Holding>();
    for (const row of await allRows(hub.sound)) {
      const { level, resolutionSeconds } = row;
      const key = `${level} ${resolutionSeconds}`;
      const holding = holdings.get(key) ?? { level, resolutionSeconds, blocks: 0, bytes: 0, samples: 0 };
      holdings.set(key, holding);
      holding.blocks++;
      holding.bytes += row.size;
      for (const { samples } of (await sumsOfBlock(hub.sound, row)).values()) holding.samples += samples;
    }
    const calls: Record<string, number> = {};
    for (const [port, counts] of Object.entries(hub.counts))
      for (const [method, count] of counts.calls) calls[`${port}.${method}`] = count;
    Object.assign(calls, {
      'catalog.blocksRemoved': hub.swapped.removed,
      'catalog.blocksAdded': hub.swapped.added,
    });
    const sorted = [...holdings.values()].sort(
      (a, b) => a.resolutionSeconds - b.resolutionSeconds || a.level - b.level,
    );
    const cpuMs = Object.fromEntries(this.#cpuMs);
    this.months.push({ days, holdings: sorted, batches: this.outcomes.accepted, calls, cpuMs });
  }

  progress({ batches, samples }: ExpectedSums, hub: SimulatedHub): string {
    const { days, holdings } = this.months.at(-1)!;
    const blocks = holdings.reduce((sum, holding) => sum + holding.blocks, 0);
    const bytes = holdings.reduce((sum, holding) => sum + holding.bytes, 0);
    return `day ${days}: ${batches} batches, ${samples} samples, ${blocks} blocks, ${(bytes / 1e6).toFixed(1)} MB, ${Object.values(hub.faults).reduce((sum, count) => sum + count, 0)} faults, ${hub.deaths} deaths, ${this.compared} sums right`;
  }

  /** All of it, as plain data. */
  result() {
    const { months, outcomes, compared, orphans, expiredBlocks, expiredBytes, expiryJobs } = this;
    const { failedJobs, damagedJobs, skippedJobs, peakDatasetBytes, largestJobBytes, provenMs } = this;
    const { rewritten, deletionsDone, deletedSamples, scrubbedBlocks } = this;
    const counts = { compared, orphans, expiredBlocks, expiredBytes, expiryJobs, failedJobs, damagedJobs };
    const deletions = { rewritten, deletionsDone, deletedSamples, provenMs };
    const job = { skippedJobs, scrubbedBlocks, peakDatasetBytes, largestJobBytes };
    const events = Object.fromEntries(this.#events);
    return {
      months,
      outcomes,
      ...counts,
      ...deletions,
      ...job,
      events,
      steps: Object.fromEntries(this.steps),
    };
  }

  #step(step: CompactionStep): StepFigures {
    const known = this.steps.get(step);
    if (known !== undefined) return known;
    const counts = { jobs: 0, blocksIn: 0, blocksOut: 0, bytesIn: 0, bytesOut: 0, samples: 0, cpuMs: 0 };
    this.steps.set(step, counts);
    return counts;
  }
}

async function allRows(hub: Hub): Promise<BlockRow[]> {
  const rows: BlockRow[] = [];
  for (;;) {
    const page = await hub.catalog.list({ tenant: hub.tenant, after: rows.at(-1), limit: MAX_CATALOG_PAGE });
    rows.push(...page);
    if (page.length < MAX_CATALOG_PAGE) return rows;
  }
}
