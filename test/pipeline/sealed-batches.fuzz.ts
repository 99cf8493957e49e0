// Batches come once or often, after waits of up to 18 days in the queue and among dead letters, while their days are
// closed, sealed, joined, swept, and partly deleted or dropped by retention. Once all is settled, answers hold each
// distinct batch once, less what was deleted. On the way they hold once what was delivered, unless a copy was stored by
// somebody who could not see yet that its day was sealed: that one counts until it is sealed itself.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compactBlocks, deleteMarkedBlocks } from '../../pipeline/compact-blocks.ts';
import { deleteProfiles } from '../../pipeline/delete-profiles.ts';
import { enforceRetention } from '../../pipeline/enforce-retention.ts';
import { processBatches } from '../../pipeline/process-batches.ts';
import { rewriteBlocks } from '../../pipeline/rewrite-blocks.ts';
import { roundStep } from '../../pipeline/run-query.ts';
import { sweepOrphans } from '../../pipeline/sweep-orphans.ts';
import { RUNS, randomFrom, SEED } from '../core/block/fixtures.ts';
import { ask, expected, publishRows, randomBatch, type WindowRow } from './fleet-history.ts';
import { type LateHub, lateHub } from './late-batches.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = 1_700_006_400_000;
const DAYS = 2;
const WAIT_MAX = 18 * DAY;
/** When the last copy comes, and a little later. */
const END = START + DAYS * DAY + 72 * HOUR + WAIT_MAX + DAY;

class History {
  readonly hub: LateHub;
  readonly random: () => number;
  readonly batches: WindowRow[][] = [];
  readonly #deletes: boolean;
  /** Whether such copies are stored. */
  readonly #isBlind: boolean;
  readonly #deletions: ((row: WindowRow) => boolean)[] = [];

  constructor(random: () => number) {
    this.random = random;
    this.hub = lateHub(START);
    this.#deletes = random() < 0.5;
    this.#isBlind = random() < 0.5;
    // Else raw windows go within days, so that late copies meet families of which only sums are left.
    if (!this.#deletes) this.#keepRaw(6 * DAY);
    // Jobs that take so little that services are sealed apart.
    if (random() < 0.5) this.#shrinkJobs(1 + Math.floor(random() * 4000));
    for (let i = 0; i < 14; i++) this.#accept();
  }

  #keepRaw(raw: number): void {
    this.hub.settings = { ...this.hub.settings, keepMs: { raw, fiveMinutes: 400 * DAY, hour: 400 * DAY } };
  }

  #shrinkJobs(bytesMax: number): void {
    const { settings } = this.hub;
    this.hub.settings = { ...settings, compaction: { ...settings.compaction, bytesMax } };
  }

  /** A batch, accepted within 72 hours once or often, each time to wait for as long as messages live. */
  #accept(): void {
    const { random, hub } = this;
    const batch = randomBatch(random, START, START + DAYS * DAY - 60_000);
    this.batches.push(batch);
    for (let copies = 1 + Math.floor(random() * 3); copies > 0; copies--) {
      const accepted = batch[0]!.start + HOUR * Math.floor(random() * 72);
      const wait = random() < 0.4 ? 0 : random() < 0.5 ? random() * 20 * HOUR : random() * WAIT_MAX;
      hub.send(batch, Math.floor(accepted + wait));
    }
  }

  /** What is left of the batches that were delivered. */
  get rows(): WindowRow[] {
    const isLeft = (row: WindowRow) => !this.#deletions.some((isGone) => isGone(row));
    return this.batches.flat().filter((row) => this.hub.delivered.has(row.batch) && isLeft(row));
  }

  async deleteSome(): Promise<void> {
    const { hub, random } = this;
    if (!this.#deletes) return;
    const service = random() < 0.5 ? 'shop' : 'cart';
    const start = Math.floor((START + random() * DAYS * DAY) / 300_000) * 300_000;
    const end = Math.min(start + Math.ceil(random() * 30) * 300_000, hub.now);
    if (end <= start) return;
    const [selector, reason] = [`{service_name="${service}"}`, 'test'];
    await deleteProfiles(hub, { selector, start, end, reason });
    this.#deletions.push((row) => row.service === service && row.start >= start && row.start < end);
  }

  /** What hosts do now and then, in any order, and some of it not for days. */
  async step(): Promise<void> {
    const { hub, random } = this;
    hub.now += Math.floor(random() < 0.7 ? random() * 10 * HOUR : random() * 2 * DAY);
    if (random() < 0.7) await processBatches(hub);
    if (random() < 0.5) await compactBlocks(hub, random() < 0.5 ? 'recent' : 'all');
    if (this.#isBlind && random() < 0.4) await this.#storeUnseen();
    if (random() < 0.3) await deleteMarkedBlocks(hub);
    if (random() < 0.2) await sweepOrphans(hub, { dryRun: false });
    if (random() < 0.06) await this.deleteSome();
    if (random() < 0.3) await rewriteBlocks(hub);
    if (random() < 0.3) {
      // Raw windows that come when they are kept no more wait a day for being sealed, which is looked for every hour.
      await compactBlocks(hub, 'all');
      await enforceRetention(hub, { dryRun: false });
    }
    if (!this.#isBlind) await this.#check(`at ${hub.now}`);
  }

  /** A copy that another processor stores, which looked for sealed batches before there were any. */
  async #storeUnseen(): Promise<void> {
    const { hub, random } = this;
    const batch = this.batches[Math.floor(random() * this.batches.length)]!;
    if (batch[0]!.start + HOUR > hub.now || hub.now > START + DAYS * DAY + 90 * HOUR) return;
    await publishRows(hub, batch);
  }

  async settle(): Promise<void> {
    const { hub } = this;
    hub.now = Math.max(hub.now, END);
    while (hub.waiting > 0) await processBatches(hub);
    for (let round = 0; round < 4; round++) {
      await compactBlocks(hub, 'all');
      hub.now += HOUR;
      await rewriteBlocks(hub);
    }
    await enforceRetention(hub, { dryRun: false });
    assert.equal(hub.delivered.size, this.batches.length);
    await this.#check('settled');
  }

  async #check(when: string): Promise<void> {
    for (const service of ['shop', 'cart']) {
      // Whole days: retention may have left but sums.
      const question = { start: START, end: START + DAYS * DAY, service, maxPoints: DAYS };
      const step = roundStep((question.end - question.start) / question.maxPoints);
      const { points: _, ...wanted } = expected(this.rows, question, step);
      const { points: __, ...got } = await ask(this.hub, question);
      assert.deepEqual(got, wanted, `${service} ${when}`);
    }
  }
}

test('each batch counts once, however late and often it comes', async () => {
  for (let run = 0; run < Math.min(RUNS, 25); run++) {
    const seed = SEED + run;
    try {
      const history = new History(randomFrom(seed));
      while (history.hub.now < END) await history.step();
      await history.settle();
      assert.deepEqual(
        history.hub.logs.filter((line) => / is left: | damaged/.test(line)),
        [],
      );
    } catch (error) {
      throw new Error(`repeat with CINDERBLOCK_SEED=${seed} CINDERBLOCK_RUNS=1`, { cause: error });
    }
  }
});
