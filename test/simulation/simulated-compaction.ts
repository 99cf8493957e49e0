import { type CompactionJob, isUnsealed } from '../../core/compaction/plan-compaction.ts';
import { planJobs } from '../../pipeline/plan-jobs.ts';
import { processBatches } from '../../pipeline/process-batches.ts';
import type { BlockRow } from '../../storage/block-catalog.ts';
import { blockKey } from '../../storage/names.ts';
import { blocksOf, checkBlocks, checkSealedDays } from './check-blocks.ts';
import { DAY_MS, HOUR_MS } from './expected-sums.ts';
import { despiteFaults, type Host } from './simulated-hub.ts';
import type { YearState } from './year-state.ts';

/** Share of rounds in which a second process does the same at the same time. */
const PAIRS = 0.15;
const ROUNDS_MAX = 3;
const JOINED_DAYS = 32;

/** A job and its inputs, kept to be done once more by a process of its own. */
export interface KeptJob {
  readonly job: CompactionJob;
  readonly inputs: readonly { readonly row: BlockRow; readonly bytes: Uint8Array }[];
}

/** Rounds of processing and compaction, with what is compared after each job. */
export class SimulatedCompaction {
  /** Of most stored bytes. */
  largest: KeptJob | undefined;
  readonly #state: YearState;

  constructor(state: YearState) {
    this.#state = state;
  }

  /** As far as it gets. Sometimes two processes are at it, and one of them may die. */
  async run(scope: 'recent' | 'all'): Promise<void> {
    const { hub, random, figures } = this.#state;
    const hosts = random() < PAIRS ? [hub.host, hub.other] : [hub.host];
    if (hosts.length > 1) figures.event('rounds of two compactors at once');
    await Promise.all(hosts.map((host) => this.#rounds(host, scope)));
  }

  /** What schedulers start every half a minute, or every hour: a round that fails is followed by another. */
  async #rounds(host: Host, scope: 'recent' | 'all'): Promise<void> {
    for (let i = 0; i < ROUNDS_MAX && !(await despiteFaults(() => this.#round(host, scope))); i++);
  }

  async #round(host: Host, scope: 'recent' | 'all'): Promise<true> {
    while ((await processBatches(host.hub)).batches > 0);
    for (let round = 0; round < 4; round++) {
      // A look at months takes a call for each day: it is planned by who meets fewer faults.
      const planner = scope === 'all' ? this.#state.hub.keeper : host;
      const jobs = (await planJobs(planner.hub, scope)).jobs as readonly CompactionJob[];
      if (jobs.length === 0) return true;
      for (const job of jobs) await this.#runJob(host, job);
    }
    return true;
  }

  async #runJob(host: Host, job: CompactionJob): Promise<void> {
    const { hub, figures, damaged } = this.#state;
    const inputs = await this.#inputsOf(job);
    const report = await figures.job(job.step, () => hub.runJob(host, job));
    if (report.failed > 0) {
      if (job.blockIds.some((id) => damaged.has(id))) figures.damagedJobs++;
      else figures.failedJobs++;
    }
    if (report.jobs === 0) return;
    const bytesOf = (kept: KeptJob | undefined) =>
      kept?.inputs.reduce((sum, { row }) => sum + row.size, 0) ?? 0;
    if (report.bytesIn > bytesOf(this.largest)) this.largest = { job, inputs };
    await this.#check(job);
  }

  async #inputsOf({ blockIds }: CompactionJob): Promise<KeptJob['inputs']> {
    const { hub } = this.#state;
    const rows = await Promise.all(blockIds.map((id) => hub.sound.catalog.get(id)));
    return rows
      .filter((row) => row !== undefined)
      .map((row) => ({ row, bytes: hub.stored.get(blockKey(row.tenant, row.level, row.blockId))! }));
  }

  async #check(job: CompactionJob): Promise<void> {
    const { figures } = this.#state;
    const [from, until] = rangeOf(job);
    if (job.step === 'split') this.#state.splitHours.add(from);
    const when = `after ${job.step} of ${job.group}`;
    figures.compared += await checkBlocks(this.#state, from, until, when);
    if (job.step !== 'join' || !(await this.#isAllSealed(from, until))) return;
    const days = [from / DAY_MS, until / DAY_MS] as const;
    figures.compared += await checkSealedDays(this.#state, ...days, [job.resolutionSeconds]);
  }

  /** What was put back while others were joined is in another block still. */
  async #isAllSealed(from: number, until: number): Promise<boolean> {
    const rows = await blocksOf(this.#state.hub.sound, from, until);
    return !rows.some(isUnsealed) && (await this.#state.isDrained());
  }
}

/** When the blocks of a job's group begin, ms. */
function rangeOf({ group, step }: CompactionJob): [number, number] {
  const ordinal = Number(/^(?:hour|day|join-\d+)-(\d+)/.exec(group)![1]);
  const length = step === 'seal' ? DAY_MS : step === 'join' ? JOINED_DAYS * DAY_MS : HOUR_MS;
  return [ordinal * length, (ordinal + 1) * length];
}
