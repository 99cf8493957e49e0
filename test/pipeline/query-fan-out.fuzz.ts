// A flame graph or profile that workers took shares of is the one that is read alone: random windows, some late, some
// published twice, some deleted, compacted or not, some blocks damaged, some answers too large to give whole, and workers
// that fail now and then.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Profile } from 'pprof-format';
import type { Completeness } from '../../core/query/completeness.ts';
import { compactBlocks } from '../../pipeline/compact-blocks.ts';
import type { Hub } from '../../pipeline/hub.ts';
import type { QueryShare, ShareSum } from '../../pipeline/query-workers.ts';
import { selectPprof, selectTree } from '../../pipeline/run-query.ts';
import { decodeShare, encodeShare } from '../../pipeline/share-codec.ts';
import { decodeShareSum, encodeShareSum } from '../../pipeline/share-sum-codec.ts';
import { sumShare } from '../../pipeline/sum-stacks.ts';
import { addDeletion } from '../../pipeline/tombstone-store.ts';
import { CPU, RUNS, randomFrom, SEED } from '../core/block/fixtures.ts';
import { publishRows, randomBatch, type WindowRow } from './fleet-history.ts';
import { type MemoryHub, memoryHub } from './memory-hub.ts';

const HOUR = 3_600_000;
const START = 1_700_006_400_000;

/** What goes to a worker and comes back is copied as between threads, or as between functions. */
async function askedAcross(hub: Hub, share: QueryShare, isFunction: boolean): Promise<ShareSum> {
  if (!isFunction) return structuredClone(await sumShare(hub, structuredClone(share)));
  const received = decodeShare(encodeShare(share, hub.codec), hub.codec, hub.tenant);
  return decodeShareSum(encodeShareSum(await sumShare(hub, received), hub.codec), hub.codec);
}

/** The hub with workers. */
function withWorkers(hub: MemoryHub, random: () => number, shares: { read: number; failed: number }): Hub {
  const own: Hub = { ...hub, clock: () => hub.now };
  return {
    ...own,
    settings: { ...hub.settings, queryFanOutBytes: 0 },
    queryWorkers: {
      count: 1 + Math.floor(random() * 3),
      async sum(share) {
        if (random() < 0.1) {
          shares.failed++;
          throw new Error('the worker is gone');
        }
        shares.read++;
        return askedAcross(own, share, random() < 0.5);
      },
    },
  };
}

async function randomHistory(random: () => number): Promise<MemoryHub> {
  const hub = memoryHub(START);
  const batches: WindowRow[][] = [];
  for (let i = 4 + Math.floor(random() * 16); i > 0; i--) {
    const from = START + Math.floor(random() * 30) * HOUR;
    const rows = randomBatch(random, from, from + HOUR);
    batches.push(rows);
    const again = random() < 0.3 ? batches[Math.floor(random() * batches.length)]! : [];
    await publishRows(hub, again === rows ? rows : [...rows, ...again]);
  }
  hub.now = START + Math.floor(random() * 140) * HOUR;
  if (random() < 0.6) await compactBlocks(hub, 'all');
  if (random() < 0.5) {
    const selector = random() < 0.5 ? '{pod="p1"}' : '{}';
    const start = START + Math.floor(random() * 20 * HOUR);
    const end = start + Math.floor(random() * 10 * HOUR) + 1;
    await addDeletion(hub, { id: 'd', selector, start, end, createdAt: hub.now, reason: 'test' });
  }
  for (const key of [...hub.stored.keys()]) {
    if (random() < 0.02) hub.stored.get(key)!.fill(0xff, 20, 60);
  }
  // Answers that are cut short: a share has narrower spans than its plan.
  if (random() < 0.3) hub.settings = { ...hub.settings, queryBytesMax: 200 + Math.floor(random() * 4000) };
  return hub;
}

async function answerOf(hub: Hub, random: () => number) {
  const at = () => START + Math.floor(random() * 32 * HOUR);
  const [start, end] = [at(), at()].sort((a, b) => a - b) as [number, number];
  const selector = ['{}', '{service_name="shop"}', '{pod=~"p[01]"}'][Math.floor(random() * 3)]!;
  const selection = { profileType: CPU, selector, start, end };
  if (random() < 0.5) {
    const { bytes, completeness } = await selectPprof(hub, selection);
    return { ...profileOf(bytes), completeness: sorted(completeness) };
  }
  const { completeness, ...answer } = await selectTree(hub, selection);
  return { ...answer, completeness: sorted(completeness) };
}

/** Blocks are read in no fixed order. */
function sorted(completeness: Completeness): Completeness {
  return { ...completeness, notes: completeness.notes.toSorted() };
}

/** Samples by the names of their stack, in no order: that of a profile follows who answered first. */
function profileOf(bytes: Uint8Array) {
  const { sample, location, function: functions, stringTable, ...rest } = Profile.decode(bytes);
  const nameOf = (id: number) => {
    const lines = location.find((one) => one.id === id)!.line;
    return lines.map((line) => functions.find((one) => one.id === line.functionId)!.name);
  };
  const samples = sample.map(({ locationId, value }) => {
    const names = locationId.flatMap((id) => nameOf(Number(id)));
    return `${names.map((name) => stringTable.strings[Number(name)]).join(';')} ${value}`;
  });
  return { samples: samples.sort(), timeNanos: rest.timeNanos, period: rest.period };
}

test(`shared queries answer what others do, seed ${SEED}`, async (t) => {
  const shares = { read: 0, failed: 0 };
  let cut = 0;
  for (let run = 0; run < Math.max(1, Math.ceil(RUNS / 4)); run++) {
    const random = randomFrom(SEED + run);
    const hub = await randomHistory(random);
    const shared = withWorkers(hub, randomFrom(SEED + run), shares);
    for (let i = 0; i < 12; i++) {
      const question = Math.floor(random() * 2 ** 31);
      const alone = await answerOf({ ...hub, clock: () => hub.now }, randomFrom(question));
      if (alone.completeness.continueBefore !== undefined) cut++;
      assert.deepEqual(
        await answerOf(shared, randomFrom(question)),
        alone,
        `run ${run}, question ${question}`,
      );
    }
  }
  assert.ok(shares.read > shares.failed, `${shares.read} shares were read, ${shares.failed} failed`);
  t.diagnostic(`${shares.read} shares were read, ${shares.failed} failed; ${cut} answers were cut`);
});
