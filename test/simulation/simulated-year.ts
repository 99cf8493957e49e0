import assert from 'node:assert/strict';
import { withRollUp } from '../../core/compaction/compaction-rules.ts';
import { RejectedError } from '../../core/errors.ts';
import { deleteMarkedBlocks } from '../../pipeline/compact-blocks.ts';
import { enforceRetention } from '../../pipeline/enforce-retention.ts';
import { ingestBatch } from '../../pipeline/ingest-batch.ts';
import { processBatches } from '../../pipeline/process-batches.ts';
import { setRetention } from '../../pipeline/retention-policies.ts';
import { sumAllLoss } from '../../pipeline/sum-loss.ts';
import { sweepOrphans } from '../../pipeline/sweep-orphans.ts';
import { seededRandom } from '../agent/seeded-random.ts';
import { checkAll, checkDay } from './check-year.ts';
import { ExpectedLoss } from './expected-loss.ts';
import {
  ExpectedRetention,
  FIRST_POLICIES,
  LATER_POLICIES,
  type SimulatedPolicy,
} from './expected-retention.ts';
import { DAY_MS, ExpectedSums, HOUR_MS } from './expected-sums.ts';
import { Figures, type FiguresResult } from './figures.ts';
import { type KeptJob, SimulatedCompaction } from './simulated-compaction.ts';
import { SimulatedDamage } from './simulated-damage.ts';
import { SimulatedDeadLetters } from './simulated-dead-letters.ts';
import { SimulatedDeletions } from './simulated-deletions.ts';
import {
  FLEET_SHAPE,
  type FleetShape,
  type SentBatch,
  SimulatedFleet,
  type SimulatedNode,
} from './simulated-fleet.ts';
import { despiteFaults, LOW_BYTES_MAX, SIMULATED_SETTINGS, SimulatedHub } from './simulated-hub.ts';
import type { YearState } from './year-state.ts';

// A fleet and its hub, hour by hour. Nodes sample, spool and send; the hub ingests, processes, compacts, deletes and forgets,
// as its schedulers would have it. All of it fails now and then, and nothing may be lost or counted twice.

/** Blocks of 1 d become one per so many days. */
const JOINED_DAYS = 32;
/** A whole range of days to join begins here, in the future: files of a data folder carry the time of the machine. */
export const YEAR_START = Math.ceil(Date.UTC(2027, 0, 1) / (JOINED_DAYS * DAY_MS)) * JOINED_DAYS * DAY_MS;
const MINUTE_MS = 60_000;
const SAMPLED_SERVICES = 5;
const LEDGER_KEEP_MS = 31 * DAY_MS;
/** How late batches are taken, and by how much clocks of hosts differ. */
const LATE_MS = 72 * HOUR_MS - 5 * MINUTE_MS;
/** Shares of hours in which it happens. */
const RATES = {
  ...{ deletion: 0.03, wornOut: 0.01, destroyedDisk: 0.02, hubAway: 0.002, workersAway: 0.002 },
  ...{ nodeOffline: 0.0004 },
};
/** Share of days on which jobs take little for some hours. */
const SMALL_JOBS = 0.04;
/** Part of the time in which pods are rolled up. */
const ROLLED_UP = { from: 0.3, until: 0.6 };
/** Share of days in which an object of a block is damaged. */
const DAMAGES = 0.12;
/** Share of rounds of work in which a process of the hub dies. */
const DEATHS = 0.05;
/** Goes out of service after a quarter of the time, and is deleted ten days later. */
const RETIRED_SERVICE = 'service-13';
const POLICIES_AFTER_DAYS = 6;
const POLICIES_CHANGE_DAYS_MAX = 120;

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
  /** By kind. */
  readonly faults: Readonly<Record<string, number>>;
  readonly deaths: number;
  /** What the hub logged as errors: scrubs name each block that is damaged. */
  readonly errors: readonly string[];
  readonly cpuSeconds: number;
  /** Most resident memory of the whole process: fleet, model and checks included. */
  readonly peakRssBytes: number;
  readonly figures: FiguresResult;
}

export class SimulatedYear {
  readonly sums: ExpectedSums;
  readonly fleet: SimulatedFleet;
  readonly figures = new Figures();
  readonly #options: YearOptions;
  readonly #random: () => number;
  readonly #loss = new ExpectedLoss();
  readonly #sampled: readonly string[];
  /** Batches that agents may have sent or not, by id. */
  readonly #sent = new Map<string, SentBatch>();
  /** Batches that were acknowledged, to be sent once more at that time. */
  readonly #replays: { at: number; batch: SentBatch }[] = [];
  #state!: YearState;
  #compaction!: SimulatedCompaction;
  #deletions!: SimulatedDeletions;
  #damage!: SimulatedDamage;
  #deadLetters!: SimulatedDeadLetters;
  /** Nobody ingests, or nobody processes and compacts, until then. */
  #downUntil = 0;
  #idleUntil = 0;

  constructor(options: YearOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    this.fleet = new SimulatedFleet(seededRandom(options.seed + 1), options.shape ?? FLEET_SHAPE, (batch) =>
      this.#loss.made(batch),
    );
    const every = Math.floor(this.fleet.services.length / SAMPLED_SERVICES);
    this.#sampled = this.fleet.services.filter((_, i) => i % every === 0);
    this.sums = new ExpectedSums(new Set(this.#sampled));
  }

  /** @throws AssertionError at the first sum that is not what came */
  async run(): Promise<void> {
    const { days } = this.#options;
    await this.#open();
    try {
      for (let day = 0; day < days; day++) await this.#day(YEAR_START / DAY_MS + day, day);
      await this.#settle();
      await checkAll(this.#state, YEAR_START / DAY_MS, YEAR_START / DAY_MS + days);
      await this.figures.endMonth(this.#hub, days);
    } finally {
      await this.#hub.close();
    }
  }

  result(): YearResult {
    const { faults, deaths, errors } = this.#hub;
    const { batches, samples } = this.sums;
    const { user, system } = process.cpuUsage();
    const peakRssBytes = process.resourceUsage().maxRSS * 1024;
    const run = { batches, samples, faults, deaths, errors, cpuSeconds: (user + system) / 1e6, peakRssBytes };
    return { ...run, figures: this.figures.result() };
  }

  /** The job of most stored bytes, with its inputs. */
  get largestJob(): KeptJob | undefined {
    return this.#compaction.largest;
  }

  get #hub(): SimulatedHub {
    return this.#state.hub;
  }

  async #open(): Promise<void> {
    const { folder, seed } = this.#options;
    const hub = await SimulatedHub.open(YEAR_START, {
      ...{ folder, seed, random: seededRandom(seed + 2) },
      onSent: ({ batchId }) => this.sums.add(this.#sent.get(batchId)!),
      onRecorded: (record) => this.#loss.recorded(record),
      deletionIds: () => this.sums.deletions.map(({ id }) => id),
    });
    // It was there before the fleet.
    await sumAllLoss(hub.sound);
    const { fleet, sums, figures } = this;
    const expected = { sums, retention: new ExpectedRetention(), loss: this.#loss };
    const chance = { random: this.#random, sampled: this.#sampled };
    this.#state = {
      hub,
      fleet,
      figures,
      ...expected,
      ...chance,
      damaged: new Set(),
      splitHours: new Set(),
      isDrained: () => this.#isDrained(),
    };
    this.#compaction = new SimulatedCompaction(this.#state);
    this.#deletions = new SimulatedDeletions(this.#state, YEAR_START);
    this.#damage = new SimulatedDamage(this.#state, YEAR_START);
    this.#deadLetters = new SimulatedDeadLetters(this.#state);
  }

  async #day(day: number, ordinal: number): Promise<void> {
    const isDamaged = ordinal > 2 && this.#random() < DAMAGES;
    const small = this.#random() < SMALL_JOBS ? Math.floor(this.#random() * 16) : 24;
    for (let hour = 0; hour < 24; hour++) {
      this.#changeRules(ordinal, hour >= small && hour < small + 10);
      await this.#hour(day * DAY_MS + hour * HOUR_MS);
      if (isDamaged && hour === 5 && (await this.#drain())) await this.#damage.begin();
      if (hour === 17) await this.#damage.end();
    }
    this.fleet.churn();
    await this.#housekeep(ordinal);
    if (await this.#drain()) await checkDay(this.#state, YEAR_START / DAY_MS, day + 1);
    if ((ordinal + 1) % 30 === 0) {
      await this.figures.endMonth(this.#hub, ordinal + 1);
      this.#options.tell?.(this.figures.progress(this.sums, this.#hub));
    }
  }

  /** Whoever runs the hub lowers what a job takes for some hours, and rolls up pods for some months. */
  #changeRules(ordinal: number, isSmall: boolean): void {
    const share = ordinal / this.#options.days;
    const isRolledUp = share >= ROLLED_UP.from && share < ROLLED_UP.until;
    const bytesMax = isSmall ? LOW_BYTES_MAX : SIMULATED_SETTINGS.compaction.bytesMax;
    const rules = withRollUp({ ...SIMULATED_SETTINGS.compaction, bytesMax }, isRolledUp ? ['pod'] : []);
    this.#hub.settings = { ...SIMULATED_SETTINGS, compaction: rules };
  }

  /** One hour passes; then, twenty minutes into the next one, what is over can be closed. */
  async #hour(start: number): Promise<void> {
    const hub = this.#hub;
    this.#disturb(start);
    if (this.fleet.isSlot((start % DAY_MS) / HOUR_MS)) this.fleet.sample(start, this.#options.scale);
    hub.now = Math.max(hub.now, start + HOUR_MS - MINUTE_MS);
    if (await this.#upload()) {
      if (this.#random() < 24 * RATES.wornOut) await this.#wearOut();
      // What is deleted while it is on the queue, too.
      if (this.#random() < 2 * RATES.deletion) await this.#deletions.deleteSome(false);
      await this.#work('recent');
    }
    hub.now = Math.max(hub.now, start + HOUR_MS + 20 * MINUTE_MS);
    const hourOfDay = (start % DAY_MS) / HOUR_MS;
    if (hourOfDay % 2 === 0) await this.#work(hourOfDay % 6 === 4 ? 'all' : 'recent');
    if (hub.now >= this.#idleUntil) await this.#keepHouse(hourOfDay);
    if (this.#random() < RATES.deletion) await this.#deletions.deleteSome(await this.#drain());
  }

  /** What housekeepers do each hour, as far as they get. */
  async #keepHouse(hourOfDay: number): Promise<void> {
    const hub = this.#hub;
    if (this.#random() < DEATHS) hub.doom(Math.floor(this.#random() * 40));
    await despiteFaults(() => deleteMarkedBlocks(hub.process));
    await this.figures.timed('sums of loss', () => untilDone(() => sumAllLoss(hub.keeper.hub)));
    if (this.#deletions.isUnderWay || hourOfDay % 12 === 9) await this.#deletions.rewrite();
    if (hourOfDay % 6 === 3) await untilDone(() => this.#enforceRetention());
    hub.revive();
    if (this.#state.damaged.size === 0) await this.#deletions.prove();
  }

  async #enforceRetention(): Promise<void> {
    const hub = this.#hub;
    await this.figures.retention(() =>
      enforceRetention(hub.keeper.hub, { dryRun: false }, (job) => hub.runJob(hub.keeper, job)),
    );
  }

  /** Processes and compacts, as far as it gets: now and then the process dies at it. */
  async #work(scope: 'recent' | 'all'): Promise<void> {
    if (this.#hub.now < this.#idleUntil) return;
    await this.#deadLetters.putBack();
    if (this.#random() < DEATHS) this.#hub.doom(Math.floor(this.#random() * 40));
    await this.#compaction.run(scope);
    this.#hub.revive();
  }

  /** Networks fail for a day and some for longer than batches may be late; the hub, or its workers alone, for hours. */
  #disturb(now: number): void {
    const { figures } = this;
    const happens = (rate: number, what: string) => {
      if (this.#random() >= rate) return false;
      figures.event(what);
      return true;
    };
    for (const node of this.fleet.nodes) {
      if (!happens(RATES.nodeOffline, 'nodes lost their network')) continue;
      const hours = this.#random() < 0.05 ? 80 : 4 + this.#random() * 64;
      node.offlineUntil = Math.max(node.offlineUntil, now + hours * HOUR_MS);
    }
    const spooling = this.fleet.nodes.filter(({ spool }) => spool.length > 0);
    if (spooling.length > 0 && happens(RATES.destroyedDisk, 'disks of agents were destroyed'))
      this.#destroyDisk(spooling[Math.floor(this.#random() * spooling.length)]!);
    if (happens(RATES.hubAway, 'the hub was away for hours'))
      this.#downUntil = now + (1 + this.#random() * 6) * HOUR_MS;
    if (happens(RATES.workersAway, 'workers were away for hours'))
      this.#idleUntil = now + (1 + this.#random() * 5) * HOUR_MS;
  }

  /** Its spool is gone; the agent goes on counting. */
  #destroyDisk(node: SimulatedNode): void {
    const lost = node.spool.filter(({ id }) => !this.sums.hasCome(id));
    this.figures.event('disks of agents: batches were lost with them', lost.length);
    node.spool.length = 0;
  }

  /** Answers whether anything was sent. */
  async #upload(): Promise<boolean> {
    const { now } = this.#hub;
    if (now < this.#downUntil) return false;
    const { batches } = this.sums;
    for (const node of this.fleet.nodes) if (now >= node.offlineUntil) await this.#empty(node);
    for (let i = this.#replays.length - 1; i >= 0; i--)
      if (this.#replays[i]!.at <= now) await this.#send(this.#replays.splice(i, 1)[0]!.batch);
    return this.sums.batches > batches;
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
      if (answer !== undefined) assert.ok(this.sums.hasCome(batch.id), `${batch.id} is durable`);
      this.figures.batch(answer === undefined ? 'failed' : answer.duplicate ? 'duplicate' : 'accepted');
      return answer === undefined ? 'failed' : 'accepted';
    } catch (error) {
      const isOld = error instanceof RejectedError && /lateWindowMs/.test(error.message);
      if (!isOld || batch.start >= this.#hub.now - LATE_MS) throw error;
      this.figures.batch('refused');
      return 'refused';
    }
  }

  /** Of what came just now some lies dead for days: what no agent sends again. */
  async #wearOut(): Promise<void> {
    const spooled = new Set(this.fleet.nodes.flatMap(({ spool }) => spool.map(({ id }) => id)));
    await this.#deadLetters.wearOut((id) => spooled.has(id));
    for (let i = this.#replays.length - 1; i >= 0; i--)
      if (this.#deadLetters.holds(this.#replays[i]!.batch.id)) this.#replays.splice(i, 1);
  }

  async #housekeep(ordinal: number): Promise<void> {
    const hub = this.#hub;
    await this.#changePolicies(ordinal);
    await despiteFaults(() => hub.process.registry.forgetBatches(hub.now - LEDGER_KEEP_MS));
    if (ordinal % 7 === 6) {
      await hub.restart();
      await this.#sweep();
    }
    this.#deletions.notePod();
    await this.#retireService(ordinal);
    for (const [id, { start }] of this.#sent) if (start < hub.now - 10 * DAY_MS) this.#sent.delete(id);
    this.sums.forgetBatches(hub.now - 20 * DAY_MS);
    this.#loss.forget(hub.now - 12 * DAY_MS);
  }

  async #changePolicies(ordinal: number): Promise<void> {
    const changesAt = Math.min(POLICIES_CHANGE_DAYS_MAX, Math.floor(this.#options.days * 0.55));
    if (ordinal === POLICIES_AFTER_DAYS) await this.#setPolicies(FIRST_POLICIES);
    if (ordinal === changesAt) await this.#setPolicies(LATER_POLICIES);
  }

  async #setPolicies(policies: readonly SimulatedPolicy[]): Promise<void> {
    const hub = this.#hub;
    const set = () =>
      setRetention(
        hub.process,
        policies.map(({ selector, keepMs }) => ({ selector, keepMs })),
      );
    // A lost answer may leave a lease behind for half a minute.
    while ((await despiteFaults(set)) === undefined) hub.now += MINUTE_MS;
    this.#state.retention.change(policies, hub.now);
    this.figures.event('policies of retention were changed');
  }

  async #retireService(ordinal: number): Promise<void> {
    const retiresAt = Math.floor(this.#options.days / 4);
    if (ordinal === retiresAt) this.fleet.retire(RETIRED_SERVICE);
    if (ordinal !== retiresAt + 10) return;
    await this.#deletions.deleteService(RETIRED_SERVICE, await this.#drain());
    this.figures.event('services were shut down and deleted');
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
      await this.#deadLetters.putBack();
      const { visible, inFlight, dead } = await hub.sound.queue.depth();
      if (visible + inFlight + dead === this.#deadLetters.count) {
        return true;
      }
      // What a death left hidden is visible again after a minute.
      hub.now += 61_000;
      await despiteFaults(() => processBatches(hub.process));
    }
    return assert.fail('batches stay on the queue although everything works');
  }

  async #isDrained(): Promise<boolean> {
    const { visible, inFlight, dead } = await this.#hub.sound.queue.depth();
    return visible + inFlight + dead === this.#deadLetters.count;
  }

  /** The fleet rests, and all that is under way comes to its end: every day is sealed, ranges are joined. */
  async #settle(): Promise<void> {
    const hub = this.#hub;
    for (const node of this.fleet.nodes) node.offlineUntil = 0;
    this.#downUntil = this.#idleUntil = 0;
    await this.#deadLetters.putBack(true);
    for (let hour = 0; hour < 24 * 6; hour += 6) {
      hub.now += 6 * HOUR_MS;
      await this.#upload();
      await this.#drain();
      await this.#compaction.run('all');
      hub.revive();
      await this.#keepHouse(9);
    }
    await this.#drain();
    await this.#sweep();
    assert.ok(!this.#deletions.isUnderWay, 'every deletion is proven');
  }
}

/** What schedulers call every few minutes or hours: a run that fails is followed by another. */
async function untilDone(run: () => Promise<void>): Promise<void> {
  const ran = () => run().then(() => true);
  for (let i = 0; i < 4 && !(await despiteFaults(ran)); i++);
}
