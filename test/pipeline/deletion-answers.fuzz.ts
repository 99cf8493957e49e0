// What is deleted is gone from every answer at once and for good, and nothing else is: whatever stage its blocks are in,
// whatever is rewritten, merged, joined or delivered again meanwhile. Days of random windows; deletions of random series
// and ranges; questions after every step have the answer that the windows that are left give. Pods are rolled up from a
// random resolution on: what finer blocks can tell is deleted by them all the same.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compactBlocks, deleteMarkedBlocks, runCompactionJob } from '../../pipeline/compact-blocks.ts';
import { deleteProfiles, listDeletions } from '../../pipeline/delete-profiles.ts';
import { defaultHubSettings } from '../../pipeline/hub.ts';
import { planJobs } from '../../pipeline/plan-jobs.ts';
import { rewriteBlocks } from '../../pipeline/rewrite-blocks.ts';
import { roundStep } from '../../pipeline/run-query.ts';
import { INBOX_AGE_MS } from '../../pipeline/sweep-orphans.ts';
import { SETTLE_MS } from '../../pipeline/tombstone-store.ts';
import { RUNS, randomFrom, SEED } from '../core/block/fixtures.ts';
import {
  ask,
  expected,
  publishRows,
  type Question,
  randomBatch,
  randomPod,
  randomRollUp,
  type WindowRow,
} from './fleet-history.ts';
import { type MemoryHub, memoryHub } from './memory-hub.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = 1_700_006_400_000;

interface Deleted {
  readonly isGone: (row: WindowRow) => boolean;
}

class Fleet {
  readonly hub: MemoryHub;
  readonly random: () => number;
  readonly batches: WindowRow[][] = [];
  readonly deletions: Deleted[] = [];

  constructor(random: () => number) {
    this.random = random;
    this.hub = memoryHub(START + HOUR);
    const compaction = randomRollUp(random, defaultHubSettings.compaction);
    this.hub.settings = { ...defaultHubSettings, compaction };
  }

  get rows(): WindowRow[] {
    return this.batches.flat().filter((row) => !this.deletions.some(({ isGone }) => isGone(row)));
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.random() * items.length)]!;
  }

  range(): { start: number; end: number } {
    const grain = this.pick([1, 10_000, 300_000, HOUR, DAY]);
    // Mostly where there are windows; later on these are far back.
    const until = this.random() < 0.7 ? Math.min(this.hub.now, START + 3 * DAY) : this.hub.now;
    const at = () => Math.floor((START + this.random() * (until - START)) / grain) * grain;
    const [start, end] = [at(), at()].sort((a, b) => a - b);
    return { start: start!, end: end! + 1 };
  }

  /** A batch, and sometimes one that came before. */
  async publish(): Promise<void> {
    const { hub, random } = this;
    const age = random() < 0.6 ? HOUR : 70 * HOUR;
    const batch = randomBatch(random, Math.max(START, hub.now - age), hub.now);
    await publishRows(hub, batch);
    this.batches.push(batch);
    const again = this.pick(this.batches);
    if (random() < 0.4 && again[0]!.start > hub.now - 72 * HOUR) await publishRows(hub, again);
  }

  async deleteSome(): Promise<void> {
    const service = this.pick(['shop', 'cart']);
    const pod = this.pick(['p0', 'p1', 'p2']);
    const { selector, matches } = this.pick([
      { selector: `{service_name="${service}"}`, matches: (row: WindowRow) => row.service === service },
      { selector: `{pod="${pod}"}`, matches: (row: WindowRow) => row.pod === pod },
      {
        selector: `{service_name="${service}",pod!="${pod}"}`,
        matches: (row: WindowRow) => row.service === service && row.pod !== pod,
      },
    ]);
    const { start, end } = this.range();
    const isGone = (row: WindowRow) => matches(row) && row.start >= start && row.start < end;
    const samples = this.rows.filter(isGone).reduce((sum, row) => sum + row.samples, 0);
    const dry = await deleteProfiles(this.hub, { selector, start, end, reason: 'test', dryRun: true });
    assert.equal(dry.samples, samples, `dry run of ${selector} [${start}, ${end})`);
    await deleteProfiles(this.hub, { selector, start, end, reason: 'test' });
    this.deletions.push({ isGone });
  }

  async check(questions: number, when: string): Promise<void> {
    const { rows } = this;
    for (let i = 0; i < questions; i++) {
      const question: Question = {
        ...this.range(),
        service: this.pick(['shop', 'cart']),
        maxPoints: this.pick([2, 30, 240]),
        pod: randomPod(this.random),
      };
      const stepMs = roundStep((question.end - question.start) / question.maxPoints);
      assert.deepEqual(
        await ask(this.hub, question),
        expected(rows, question, stepMs),
        `${when}: ${JSON.stringify(question)}`,
      );
    }
  }

  async compactAll(when: string): Promise<void> {
    for (const job of (await planJobs(this.hub, 'all')).jobs) {
      await runCompactionJob(this.hub, job);
      await this.check(1, `${when}, after ${job.step} of ${job.group}`);
    }
    await deleteMarkedBlocks(this.hub);
  }

  /** No block holds anything that was deleted. */
  async proveGone(when: string): Promise<void> {
    for (const { id, selector } of await listDeletions(this.hub)) {
      const { check, pendingBlocks, outOfReachBlocks } = (await listDeletions(this.hub, { verify: id })).find(
        (one) => one.id === id,
      )!;
      const left = [pendingBlocks, outOfReachBlocks, check!.rows, check!.unread];
      assert.deepEqual(left, [0, 0, 0, []], `${when}: ${selector}`);
    }
  }
}

async function live(fleet: Fleet): Promise<void> {
  const { hub, random } = fleet;
  while (hub.now < START + 3 * DAY) {
    hub.now += Math.floor(random() * 8 * HOUR);
    for (let i = Math.floor(random() * 6); i > 0; i--) await fleet.publish();
    if (random() < 0.3 && fleet.batches.length > 0) {
      await fleet.deleteSome();
      await fleet.check(3, 'after a deletion');
    }
    await fleet.compactAll('while it lives');
    if (random() < 0.5) {
      hub.now += SETTLE_MS;
      await rewriteBlocks(hub);
      await fleet.check(3, 'after a rewrite');
    }
  }
}

test('a deletion takes what it names from every answer at once, in every stage, and nothing else', async () => {
  for (let i = 0; i < Math.max(1, RUNS / 20); i++) {
    const seed = SEED + i;
    const fleet = new Fleet(randomFrom(seed));
    const { hub } = fleet;
    try {
      await live(fleet);
      await fleet.compactAll('closed');
      hub.now += 6 * DAY;
      await fleet.compactAll('sealed');
      await fleet.deleteSome();
      await fleet.check(8, 'deleted from sealed blocks');
      hub.now += SETTLE_MS;
      await rewriteBlocks(hub);
      await fleet.check(8, 'sealed blocks rewritten');
      await fleet.proveGone('sealed');
      hub.now += 40 * DAY;
      while ((await compactBlocks(hub, 'all')).jobs > 0);
      await fleet.check(8, 'joined');
      for (let round = 0; round < 2; round++) {
        await fleet.deleteSome();
        await fleet.check(8, 'deleted from joined blocks');
        hub.now += SETTLE_MS;
        await rewriteBlocks(hub);
        await fleet.check(12, 'joined blocks rewritten');
        await fleet.proveGone('joined');
        assert.equal((await rewriteBlocks(hub)).rewritten, 0, 'a rewrite leaves nothing to rewrite');
      }
      hub.now += 72 * HOUR + INBOX_AGE_MS;
      await rewriteBlocks(hub);
      for (const { doneAt } of await listDeletions(hub)) assert.notEqual(doneAt, undefined);
      await fleet.check(8, 'done');
      await fleet.proveGone('done');
      assert.deepEqual(
        hub.logs.filter((line) => !line.startsWith('deletion ')),
        [],
      );
    } catch (error) {
      throw new Error(`repeat with CINDERBLOCK_SEED=${seed} CINDERBLOCK_RUNS=1`, { cause: error });
    }
  }
});
