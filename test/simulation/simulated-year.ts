import assert from 'node:assert/strict';
import { unpackBatchIds } from '../../core/block/batch-runs.ts';
import type { CompactionJob } from '../../core/compaction/plan-compaction.ts';
import { RejectedError } from '../../core/errors.ts';
import { deleteMarkedBlocks, runCompactionJob } from '../../pipeline/compact-blocks.ts';
import { enforceRetention } from '../../pipeline/enforce-retention.ts';
import { ingestBatch } from '../../pipeline/ingest-batch.ts';
import { planJobs } from '../../pipeline/plan-jobs.ts';
import { processBatches } from '../../pipeline/process-batches.ts';
import { sweepOrphans } from '../../pipeline/sweep-orphans.ts';
import { seededRandom } from '../agent/seeded-random.ts';
import { checkHours, checkSeries, checkTree } from './check-answers.ts';
import { checkBlocks, checkSealedDays } from './check-blocks.ts';
import { DAY_MS, ExpectedSums, HOUR_MS } from './expected-sums.ts';
import { Figures, type FiguresResult } from './figures.ts';
import {
  FLEET_SHAPE,
  type FleetShape,
  type SentBatch,
  SimulatedFleet,
  type SimulatedNode,
} from './simulated-fleet.ts';
import { despiteFaults, FAULT_RATES, SimulatedHub } from './simulated-hub.ts';

// A fleet and its hub, hour by hour. Nodes sample, spool and send; the hub ingests, processes, compacts, deletes and forgets,
// as its schedulers would have it. All of it fails now and then, and nothing may be lost or counted twice.

/** Blocks of 1 d become one per so many days. */
const JOINED_DAYS = 32;
/** A whole range of days to join begins here, in the future: files of a data folder carry the time of the machine. */
export const YEAR_START = Math.ceil(Date.UTC(2027, 0, 1) / (JOINED_DAYS * DAY_MS)) * JOINED_DAYS * DAY_MS;
const MINUTE_MS = 60_000;
const SAMPLED_SERVICES = 5;
/** Raw windows are sealed once this many days are over, and then some hours: 84 h after the end of a day. */
const SEALED_AFTER_DAYS = 5;
const LEDGER_KEEP_MS = 31 * DAY_MS;
/** Resolution in seconds, and for how many days blocks of it are surely kept: a little less than retention keeps them. */
const KEPT_DAYS = new Map([
  [0, 12],
  [300, 88],
  [3600, 398],
  [86_400, 398],
]);
/** Share of rounds of work in which a process of the hub dies. */
const DEATHS = 0.05;

export interface YearOptions {
  readonly days: number;
  /** Batches of a node and day. */
  readonly scale: number;
  readonly seed: number;
  readonly folder: string;
  readonly shape?: FleetShape;
  /** Hears of the end of each month. */
  readonly tell?: (line: string) => void;
}

/** What a run was, and what it measured. */
export interface YearResult {
  readonly batches: number;
  readonly samples: number;
  readonly faults: number;
  readonly deaths: number;
  /** What the hub logged as errors. */
  readonly errors: readonly string[];
  readonly cpuSeconds: number;
  /** Most resident memory of the whole process: fleet, model and checks included. */
  readonly peakRssBytes: number;
  readonly figures: FiguresResult;
}

export class SimulatedYear {
  readonly expected: ExpectedSums;
  readonly fleet: SimulatedFleet;
  readonly figures: Figures;
  readonly #options: YearOptions;
  readonly #random: () => number;
  readonly #sampled: readonly string[];
  /** Batches that agents may have sent or not, by id. */
  readonly #sent = new Map<string, SentBatch>();
  /** Batches that were acknowledged, to be sent once more at that time. */
  readonly #replays: { at: number; batch: SentBatch }[] = [];
  #hub!: SimulatedHub;
  /** Nobody ingests, or nobody processes and compacts, until then. */
  #downUntil = 0;
  #idleUntil = 0;

  constructor(options: YearOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    this.fleet = new SimulatedFleet(seededRandom(options.seed + 1), options.shape ?? FLEET_SHAPE);
    const every = Math.floor(this.fleet.services.length / SAMPLED_SERVICES);
    this.#sampled = this.fleet.services.filter((_, i) => i % every === 0);
    this.expected = new ExpectedSums(new Set(this.#sampled));
    this.figures = new Figures();
  }

  /** @throws AssertionError at the first sum that is not what came */
  async run(): Promise<void> {
    const { days, folder, seed } = this.#options;
    this.#hub = await SimulatedHub.open(YEAR_START, {
      ...{ folder, seed, random: seededRandom(seed + 2), rates: FAULT_RATES },
      onSent: ({ batchId }) => this.expected.add(this.#sent.get(batchId)!),
    });
    try {
      for (let day = 0; day < days; day++) await this.#day(YEAR_START / DAY_MS + day, day);
      await this.#settle();
      await this.#checkAll(YEAR_START / DAY_MS, YEAR_START / DAY_MS + days);
      await this.figures.endMonth(this.#hub, days);
    } finally {
      await this.#hub.close();
    }
  }

  result(): YearResult {
    const { faults, deaths, errors } = this.#hub;
    const { batches, samples } = this.expected;
    const { user, system } = process.cpuUsage();
    const peakRssBytes = process.resourceUsage().maxRSS * 1024;
    const run = { batches, samples, faults, deaths, errors, cpuSeconds: (user + system) / 1e6, peakRssBytes };
    return { ...run, figures: this.figures.result() };
  }

  async #day(day: number, ordinal: number): Promise<void> {
    for (let hour = 0; hour < 24; hour++) await this.#hour(day * DAY_MS + hour * HOUR_MS);
    this.fleet.churn();
    await this.#housekeep(ordinal);
    if (await this.#drain()) await this.#checkDay(day + 1, ordinal);
    if ((ordinal + 1) % 30 === 0) {
      await this.figures.endMonth(this.#hub, ordinal + 1);
      this.#options.tell?.(this.figures.progress(this.expected, this.#hub));
    }
  }

  /** One hour passes; then, twenty minutes into the next one, what is over can be closed. */
  async #hour(start: number): Promise<void> {
    const hub = this.#hub;
    this.#disturb(start);
    if (this.fleet.isSlot((start % DAY_MS) / HOUR_MS)) this.fleet.sample(start, this.#options.scale);
    hub.now = start + HOUR_MS - MINUTE_MS;
    if (await this.#upload()) await this.#work('recent');
    hub.now = start + HOUR_MS + 20 * MINUTE_MS;
    const hourOfDay = (start % DAY_MS) / HOUR_MS;
    if (hourOfDay % 2 === 0) await this.#work(hourOfDay === 4 ? 'all' : 'recent');
    await despiteFaults(() => deleteMarkedBlocks(hub.process));
    hub.revive();
  }

  /** Processes and compacts, as far as it gets: now and then the process dies at it. */
  async #work(scope: 'recent' | 'all'): Promise<void> {
    if (this.#hub.now < this.#idleUntil) return;
    if (this.#random() < DEATHS) this.#hub.doom(Math.floor(this.#random() * 40));
    await despiteFaults(() => this.#processAndCompact(scope));
    this.#hub.revive();
  }

  /** Networks fail for a day and some for longer than batches may be late; the hub, or its workers alone, for hours. */
  #disturb(now: number): void {
    for (const node of this.fleet.nodes) {
      if (this.#random() >= 0.0004) continue;
      const hours = this.#random() < 0.05 ? 80 : 4 + this.#random() * 64;
      node.offlineUntil = Math.max(node.offlineUntil, now + hours * HOUR_MS);
    }
    if (this.#random() < 0.002) this.#downUntil = now + (1 + this.#random() * 6) * HOUR_MS;
    if (this.#random() < 0.002) this.#idleUntil = now + (1 + this.#random() * 5) * HOUR_MS;
  }

  /** Answers whether anything was sent. */
  async #upload(): Promise<boolean> {
    const { now } = this.#hub;
    if (now < this.#downUntil) return false;
    const { batches } = this.expected;
    for (const node of this.fleet.nodes) if (now >= node.offlineUntil) await this.#empty(node);
    for (let i = this.#replays.length - 1; i >= 0; i--)
      if (this.#replays[i]!.at <= now) await this.#send(this.#replays.splice(i, 1)[0]!.batch);
    return this.expected.batches > batches;
  }

  /** Sends what a node spooled, oldest first, until something fails: it stays for the next hour. */
  async #empty(node: SimulatedNode): Promise<void> {
    while (node.spool.length > 0) {
      const batch = node.spool[0]!;
      const outcome = await this.#send(batch);
      if (outcome === 'failed' && (await this.#send(batch)) === 'failed') return;
      node.spool.shift();
      // An answer got lost on its way back, and the agent comes with it again hours later.
      const latest = batch.start + 70 * HOUR_MS - this.#hub.now;
      if (this.#random() < 0.03)
        this.#replays.push({ at: this.#hub.now + Math.max(0, this.#random() * latest), batch });
    }
  }

  async #send(batch: SentBatch): Promise<'accepted' | 'refused' | 'failed'> {
    this.#sent.set(batch.id, batch);
    try {
      const { cluster, bytes } = batch;
      const answer = await despiteFaults(() => ingestBatch(this.#hub.process, { cluster, bytes }));
      if (answer !== undefined) assert.ok(this.expected.ofBatch.has(batch.id), `${batch.id} is durable`);
      this.figures.batch(answer === undefined ? 'failed' : answer.duplicate ? 'duplicate' : 'accepted');
      return answer === undefined ? 'failed' : 'accepted';
    } catch (error) {
      const isOld = error instanceof RejectedError && /lateWindowMs/.test(error.message);
      if (!isOld || batch.start >= this.#hub.now - 72 * HOUR_MS) throw error;
      this.figures.batch('refused');
      return 'refused';
    }
  }

  async #processAndCompact(scope: 'recent' | 'all'): Promise<void> {
    const hub = this.#hub;
    // Dead letters go back at once: what waits for longer than half a day could be counted twice.
    await hub.process.queue.redrive('all');
    while ((await processBatches(hub.process)).batches > 0);
    for (let round = 0; round < 4; round++) {
      const { jobs } = await planJobs(hub.process, scope);
      if (jobs.length === 0) return;
      for (const job of jobs) await this.#runJob(job);
    }
  }

  async #runJob(job: CompactionJob): Promise<void> {
    const report = await this.figures.job(job.step, () => runCompactionJob(this.#hub.process, job));
    if (report.jobs === 0) return;
    const [from, until] = rangeOf(job);
    const when = `after ${job.step} of ${job.group}`;
    const { figures, expected } = this;
    figures.compared += await checkBlocks(this.#hub.sound, expected, from, until, when);
    if (job.step !== 'join') return;
    const days = [from / DAY_MS, until / DAY_MS] as const;
    figures.compared += await checkSealedDays(this.#hub.sound, expected, ...days, [job.resolutionSeconds]);
  }

  async #housekeep(ordinal: number): Promise<void> {
    const hub = this.#hub;
    await despiteFaults(() => hub.process.registry.forgetBatches(hub.now - LEDGER_KEEP_MS));
    if (this.#random() < 0.1) hub.doom(Math.floor(this.#random() * 20));
    await despiteFaults(() => this.figures.retention(() => enforceRetention(hub.process, { dryRun: false })));
    hub.revive();
    if (ordinal % 7 === 6) {
      await hub.restart();
      await this.#sweep();
    }
    for (const [id, { start }] of this.#sent) if (start < hub.now - 10 * DAY_MS) this.#sent.delete(id);
    this.expected.forgetBatches(hub.now - 20 * DAY_MS);
  }

  /** What crashes left behind is deleted, and no block lacks its object. */
  async #sweep(): Promise<void> {
    const { missing, orphans } = await sweepOrphans(this.#hub.sound, { dryRun: false });
    assert.deepEqual(missing, []);
    this.figures.orphans += orphans.length;
  }

  /** Nothing is left on the queue: then answers hold all that came. False while workers rest. */
  async #drain(): Promise<boolean> {
    const hub = this.#hub;
    if (hub.now < this.#idleUntil) return false;
    for (let round = 0; round < 200; round++) {
      const { visible, inFlight, dead } = await hub.sound.queue.depth();
      if (visible + inFlight + dead === 0) return true;
      // What a death left hidden is visible again after a minute.
      hub.now += 61_000;
      await despiteFaults(() => hub.process.queue.redrive('all'));
      await despiteFaults(() => processBatches(hub.process));
    }
    return assert.fail('batches stay on the queue although everything works');
  }

  /** @param today not begun yet */
  async #checkDay(today: number, ordinal: number): Promise<void> {
    const { sound } = this.#hub;
    const { expected, figures } = this;
    const first = YEAR_START / DAY_MS;
    figures.compared += await checkSeries(sound, expected, Math.max(first, today - 6), today);
    const service = this.fleet.services[ordinal % this.fleet.services.length]!;
    figures.compared += await checkHours(sound, expected, service, Math.max(first, today - 6), today);
    const sampled = this.#sampled[ordinal % this.#sampled.length]!;
    const from = first + Math.floor(this.#random() * (today - first));
    const until = from + 1 + Math.floor(this.#random() * (today - from));
    figures.compared += await checkTree(sound, expected, sampled, from, until, true);
    figures.compared += await checkTree(sound, expected, service, from, until, false);
    const sealed = today - SEALED_AFTER_DAYS;
    if (sealed - 1 >= first) figures.compared += await this.#checkSealed(sealed - 1, sealed);
  }

  /** A sealed day, at every resolution; one that a crash kept from being sealed waits for its next turn. */
  async #checkSealed(from: number, until: number): Promise<number> {
    const { sound } = this.#hub;
    const rows = await sound.catalog.find({
      tenant: sound.tenant,
      from: from * DAY_MS,
      until: until * DAY_MS,
    });
    const isOpen = rows.some(
      (row) =>
        Math.floor(row.minTime / DAY_MS) === from &&
        unpackBatchIds(row.batchIds).some((id) => this.expected.ofBatch.has(id)),
    );
    if (isOpen) return 0;
    // Blocks of 1 d are joined once their range is over; then they belong to its first day, and are checked as one.
    const rangeEnd = (Math.floor(from / JOINED_DAYS) + 1) * JOINED_DAYS;
    const isJoined = this.#hub.now >= (rangeEnd + SEALED_AFTER_DAYS - 2) * DAY_MS;
    const resolutions = isJoined ? [0, 300, 3600] : [0, 300, 3600, 86_400];
    return checkSealedDays(sound, this.expected, from, until, resolutions);
  }

  /** The fleet rests, and all that is under way comes to its end: every day is sealed, ranges are joined. */
  async #settle(): Promise<void> {
    const hub = this.#hub;
    for (const node of this.fleet.nodes) node.offlineUntil = 0;
    this.#downUntil = this.#idleUntil = 0;
    for (let hour = 0; hour < 24 * 6; hour += 6) {
      hub.now += 6 * HOUR_MS;
      await this.#upload();
      await this.#drain();
      await despiteFaults(() => this.#processAndCompact('all'));
      hub.revive();
      await despiteFaults(() => deleteMarkedBlocks(hub.process));
    }
    await this.#drain();
    await this.#sweep();
  }

  async #checkAll(from: number, until: number): Promise<void> {
    const { sound } = this.#hub;
    const { expected, figures } = this;
    for (const [seconds, days] of KEPT_DAYS) {
      const kept = Math.max(from, Math.ceil(this.#hub.now / DAY_MS) - days);
      figures.compared += await checkSealedDays(sound, expected, kept, until, [seconds]);
    }
    for (let day = from; day < until; day += 32)
      figures.compared += await checkSeries(sound, expected, day, Math.min(until, day + 32));
    for (const service of this.fleet.services)
      figures.compared += await checkTree(
        sound,
        expected,
        service,
        from,
        until,
        this.#sampled.includes(service),
      );
    for (const service of this.#sampled)
      figures.compared += await checkHours(sound, expected, service, Math.max(from, until - 9), until);
  }
}

/** When the blocks of a job's group begin, ms. */
function rangeOf({ group, step }: CompactionJob): [number, number] {
  const ordinal = Number(/\d+$/.exec(group)![0]);
  const length = step === 'seal' ? DAY_MS : step === 'join' ? JOINED_DAYS * DAY_MS : HOUR_MS;
  return [ordinal * length, (ordinal + 1) * length];
}
