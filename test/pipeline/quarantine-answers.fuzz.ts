// A block that is set aside and put back counts exactly once, whatever was merged, deleted, delivered again, rewritten or
// dropped meanwhile. Days of random windows; random blocks of every kind go to quarantine and come back. An answer that
// says that it is complete is the one that all windows give, and none has more.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyJob, listRewrites, requestRewrite } from '../../pipeline/block-rewrites.ts';
import { compactBlocks, deleteMarkedBlocks, runCompactionJob } from '../../pipeline/compact-blocks.ts';
import { deleteProfiles, listDeletions } from '../../pipeline/delete-profiles.ts';
import { openBlockOf } from '../../pipeline/open-block.ts';
import { planJobs } from '../../pipeline/plan-jobs.ts';
import { listQuarantinedBlocks, quarantineBlock, restoreBlock } from '../../pipeline/quarantine-blocks.ts';
import { rewriteBlocks } from '../../pipeline/rewrite-blocks.ts';
import { roundStep, selectTree } from '../../pipeline/run-query.ts';
import { sweepOrphans } from '../../pipeline/sweep-orphans.ts';
import { SETTLE_MS } from '../../pipeline/tombstone-store.ts';
import type { BlockRow } from '../../storage/block-catalog.ts';
import { blockKey } from '../../storage/names.ts';
import { CPU, RUNS, randomFrom, SEED } from '../core/block/fixtures.ts';
import {
  ask,
  expected,
  publishRows,
  type Question,
  randomBatch,
  selectorOf,
  type WindowRow,
} from './fleet-history.ts';
import { type MemoryHub, memoryHub } from './memory-hub.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = 1_700_006_400_000;

class Fleet {
  readonly hub: MemoryHub;
  readonly random: () => number;
  readonly batches: WindowRow[][] = [];
  readonly deletions: ((row: WindowRow) => boolean)[] = [];
  /** What mends the blocks aside that are damaged. */
  readonly damaged = new Map<string, () => void>();

  constructor(random: () => number) {
    this.random = random;
    this.hub = memoryHub(START + HOUR);
  }

  get rows(): WindowRow[] {
    return this.batches.flat().filter((row) => !this.deletions.some((isGone) => isGone(row)));
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.random() * items.length)]!;
  }

  async publish(): Promise<void> {
    const { hub, random } = this;
    const age = random() < 0.6 ? HOUR : 70 * HOUR;
    const batch = randomBatch(random, Math.max(START, hub.now - age), hub.now);
    await publishRows(hub, batch);
    this.batches.push(batch);
    const again = this.pick(this.batches);
    if (random() < 0.5 && again[0]!.start > hub.now - 72 * HOUR) await publishRows(hub, again);
  }

  async setSomeAside(): Promise<void> {
    const live = await this.hub.catalog.find({ tenant: 'default', from: 0, until: this.hub.now });
    if (live.length === 0) return;
    const { blockId } = this.pick(live);
    try {
      await quarantineBlock(this.hub, { blockId, reason: 'test', dryRun: false });
    } catch (error) {
      assert.match((error as Error).message, /is what could be saved of block/);
    }
  }

  async putSomeBack(all: boolean): Promise<void> {
    for (const { blockId } of await listQuarantinedBlocks(this.hub)) {
      if (!all && this.random() < 0.6) continue;
      this.damaged.get(blockId)?.();
      this.damaged.delete(blockId);
      await restoreBlock(this.hub, blockId);
    }
  }

  /** A section of a block goes bad, and what can be read of it is saved. When nothing can be, the bit flips back. */
  async saveSome(): Promise<void> {
    const live = await this.hub.catalog.find({ tenant: 'default', from: 0, until: this.hub.now });
    if (live.length === 0) return;
    const row = this.pick(live);
    const mend = await this.damage(row);
    const request = { blockId: row.blockId, salvage: true };
    await requestRewrite(this.hub, request);
    await runCompactionJob(this.hub, copyJob(request));
    const isSaved = (await listRewrites(this.hub))[0]!.report !== undefined;
    if (isSaved) this.damaged.set(row.blockId, mend);
    else mend();
  }

  async damage(row: BlockRow): Promise<() => void> {
    const { directory } = await openBlockOf(this.hub, row);
    const dataset = this.pick(directory.datasets);
    const section = this.pick([
      dataset.seriesSection,
      dataset.symbolsSection,
      dataset.types[0]!.samplesSection,
    ]);
    const bytes = this.hub.stored.get(blockKey(row.tenant, row.level, row.blockId))!;
    const flip = () => void (bytes[section.offset]! ^= 1);
    flip();
    return flip;
  }

  async deleteSome(): Promise<void> {
    const service = this.pick(['shop', 'cart']);
    const at = () => START + Math.floor((this.random() * (this.hub.now - START)) / 10_000) * 10_000;
    const [start, end] = [at(), at()].sort((a, b) => a - b) as [number, number];
    const request = { selector: `{service_name="${service}"}`, start, end: end + 1, reason: 'test' };
    await deleteProfiles(this.hub, request);
    this.deletions.push((row) => row.service === service && row.start >= start && row.start <= end);
  }

  async rewriteSome(): Promise<void> {
    const live = await this.hub.catalog.find({ tenant: 'default', from: 0, until: this.hub.now });
    if (live.length === 0) return;
    const request = { blockId: this.pick(live).blockId, salvage: false };
    await requestRewrite(this.hub, request);
    await runCompactionJob(this.hub, copyJob(request));
    assert.equal((await listRewrites(this.hub))[0]!.problem, undefined);
  }

  async compactAll(): Promise<void> {
    for (const job of (await planJobs(this.hub, 'all')).jobs) {
      // Whatever is set aside or put back between plan and job.
      if (this.random() < 0.1) await this.setSomeAside();
      if (this.random() < 0.1) await this.putSomeBack(false);
      await runCompactionJob(this.hub, job);
    }
    await deleteMarkedBlocks(this.hub);
  }

  async check(questions: number, when: string): Promise<void> {
    const { rows, hub } = this;
    const isWhole = (await listQuarantinedBlocks(hub)).length === 0;
    for (let i = 0; i < questions; i++) {
      const grain = this.pick([10_000, 300_000, HOUR, DAY]);
      const at = () => Math.floor((START + this.random() * (hub.now - START)) / grain) * grain;
      const [start, end] = [at(), at()].sort((a, b) => a - b) as [number, number];
      const maxPoints = this.pick([2, 30, 240]);
      const question: Question = { start, end: end + 1, service: this.pick(['shop', 'cart', '']), maxPoints };
      const answer = expected(rows, question, roundStep((question.end - question.start) / maxPoints));
      const what = `${when}: ${JSON.stringify(question)}`;
      if (isWhole) assert.deepEqual(await ask(hub, question), answer, what);
      else await this.checkPart(question, answer, what);
    }
  }

  async checkPart(question: Question, answer: ReturnType<typeof expected>, what: string): Promise<void> {
    const selection = { ...question, profileType: CPU, selector: selectorOf(question) };
    const { total, completeness } = await selectTree(this.hub, selection);
    assert.ok(total <= answer.total, `${what}: ${total} is more than ${answer.total}`);
    assert.equal(completeness.complete, completeness.asideBlocks === 0, what);
    const lacking = `${what}\n${completeness.notes.join('\n')}`;
    if (completeness.complete)
      assert.deepEqual([total, completeness.samples], [answer.total, answer.samples], lacking);
  }
}

async function live(fleet: Fleet): Promise<void> {
  const { hub, random } = fleet;
  while (hub.now < START + 8 * DAY) {
    hub.now += Math.floor(random() * 12 * HOUR);
    if (hub.now < START + 3 * DAY) for (let i = Math.floor(random() * 6); i > 0; i--) await fleet.publish();
    if (random() < 0.5) await fleet.setSomeAside();
    if (random() < 0.3) await fleet.putSomeBack(random() < 0.3);
    await fleet.check(2, 'before compaction');
    if (random() < 0.2) await fleet.deleteSome();
    if (random() < 0.2) await fleet.rewriteSome();
    if (random() < 0.3) await fleet.saveSome();
    await fleet.compactAll();
    await fleet.check(2, 'after compaction');
    hub.now += SETTLE_MS;
    if (random() < 0.5) await rewriteBlocks(hub);
    if (random() < 0.3) await sweepOrphans(hub, { dryRun: false });
    await fleet.check(2, 'after upkeep');
  }
}

test('what was in quarantine counts exactly once when it is back, and nothing deleted comes back with it', async () => {
  for (let i = 0; i < Math.max(2, RUNS / 20); i++) {
    const fleet = new Fleet(randomFrom(SEED + i));
    try {
      await live(fleet);
      await fleet.putSomeBack(true);
      await fleet.check(6, 'all is back');
      const { hub } = fleet;
      hub.now += DAY;
      for (let round = 0; round < 3; round++) {
        while ((await compactBlocks(hub, 'all')).jobs > 0);
        await rewriteBlocks(hub);
        hub.now += HOUR;
      }
      await fleet.check(6, 'all is sealed');
      const { missing } = await sweepOrphans(hub, { dryRun: false });
      assert.deepEqual(missing, []);
      for (const { id } of await listDeletions(hub)) {
        const [found] = (await listDeletions(hub, { verify: id })).filter((one) => one.id === id);
        assert.deepEqual([found!.pendingBlocks, found!.check!.rows, found!.check!.unread], [0, 0, []]);
      }
    } catch (error) {
      throw new Error(`CINDERBLOCK_SEED=${SEED + i}: ${(error as Error).message}`, { cause: error });
    }
  }
});
