// What every kind of workers must do: the answer of who asks them is the one without them, and says of damage once what
// there is to say.
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { Profile } from 'pprof-format';
import { RejectedError } from '../../core/errors.ts';
import type { Completeness } from '../../core/query/completeness.ts';
import type { Hub } from '../../pipeline/hub.ts';
import type { QueryShare, QueryWorkers } from '../../pipeline/query-workers.ts';
import { selectPprof, selectTree } from '../../pipeline/run-query.ts';
import { addDeletion } from '../../pipeline/tombstone-store.ts';
import { blockKey } from '../../storage/names.ts';
import { CPU } from '../core/block/fixtures.ts';
import { publishRows, type WindowRow } from '../pipeline/fleet-history.ts';

const MINUTE = 60_000;
const BLOCKS = 7;
const WINDOW_VALUE = 30_000_000;

/** A hub that is empty, whose clock stands, and three workers that read the same blocks. */
export interface WorkersUnderTest {
  readonly hub: Hub;
  readonly workers: QueryWorkers;
}

export function queryWorkersContract(
  name: string,
  open: (t: TestContext) => Promise<WorkersUnderTest>,
): void {
  describe(`shares of queries, read by ${name}`, () => {
    test('a flame graph and a profile are those that are read alone', async (t) => {
      const { alone, shared, asked } = await filled(await open(t));
      const expected = await treeOf(alone);
      assert.equal(expected.total, BigInt(BLOCKS * WINDOW_VALUE));
      assert.deepEqual(await treeOf(shared), expected);
      assert.equal(asked.length, 3);
      assert.deepEqual(await profileOf(shared), await profileOf(alone));
      assert.equal(asked.length, 6);
      assert.deepEqual(
        [asked.map(({ detail }) => detail)],
        [['names', 'names', 'names', 'symbols', 'symbols', 'symbols']],
      );
    });

    test('a batch that is in two blocks counts once', async (t) => {
      const under = await open(t);
      const { alone, shared } = await filled(under);
      const [again] = [1, 2, 3].map((i) => rowOf(under.hub, i));
      await publishRows(under.hub, [again!, rowOf(under.hub, BLOCKS)]);
      const expected = await treeOf(alone);
      assert.equal(expected.total, BigInt((BLOCKS + 1) * WINDOW_VALUE));
      assert.deepEqual(await treeOf(shared), expected);
      assert.deepEqual(await profileOf(shared), await profileOf(alone));
    });

    test('what was deleted is in no share', async (t) => {
      const under = await open(t);
      const { alone, shared } = await filled(under);
      const { hub } = under;
      const span = { start: startOf(hub, 2), end: startOf(hub, 6) };
      const deletion = { id: 'd', selector: '{pod="p1"}', createdAt: hub.clock(), reason: 'test' };
      await addDeletion(hub, { ...deletion, ...span });
      const expected = await treeOf(alone);
      assert.equal(expected.total, BigInt((BLOCKS - 2) * WINDOW_VALUE));
      assert.deepEqual(await treeOf(shared), expected);
      assert.deepEqual(await profileOf(shared), await profileOf(alone));
    });

    test('a block that is damaged is left out, and counted once', async (t) => {
      const under = await open(t);
      const { alone, shared, asked } = await filled(under);
      const [key] = await keysOf(under.hub);
      const bytes = (await under.hub.objects.get(key!))!.slice();
      bytes.fill(0xff, 10, 40);
      await under.hub.objects.delete(key!);
      await under.hub.objects.put(key!, bytes);
      const expected = await treeOf(alone);
      assert.equal(expected.completeness.corruptBlocks, 1);
      assert.equal(notesOfBlocks(expected), 1);
      assert.deepEqual(await treeOf(shared), expected);
      assert.equal(asked.length, 3);
    });

    test('a block that is gone before its worker comes is left out, and counted once', async (t) => {
      const under = await open(t);
      const { shared } = await filled(under, async ({ blocks }) => {
        const { tenant, level, blockId } = blocks[0]!.row;
        await under.hub.objects.delete(blockKey(tenant, level, blockId));
      });
      const answer = await treeOf(shared);
      const { completeness } = answer;
      assert.equal(answer.total, BigInt((BLOCKS - 3) * WINDOW_VALUE));
      assert.deepEqual(
        [completeness.missingBlocks, completeness.corruptBlocks, completeness.complete],
        [3, 0, false],
      );
      assert.equal(notesOfBlocks(answer), 3);
    });

    test('a share that is none is refused', async (t) => {
      const under = await open(t);
      const { shared, asked } = await filled(under);
      await treeOf(shared);
      const share = asked[0]!;
      await assert.rejects(under.workers.sum({ ...share, profileType: 'cpu' }));
      const [{ row, ...block }] = share.blocks as [QueryShare['blocks'][number]];
      for (const blockId of ['../../inbox/a', 'a/b', ''])
        await assert.rejects(
          under.workers.sum({ ...share, blocks: [{ ...block, row: { ...row, blockId } }] }),
        );
      await under.workers.sum(share);
    });

    test('a regular expression that is none is refused', async (t) => {
      const under = await open(t);
      const { shared, asked } = await filled(under);
      await treeOf(shared);
      const matchers = [{ name: 'pod', op: '=~' as const, value: '(' }];
      await assert.rejects(under.workers.sum({ ...asked[0]!, matchers }));
    });
  });
}

/** The hub with blocks, alone and with the workers, and which shares it dealt out. */
async function filled({ hub, workers }: WorkersUnderTest, before = async (_share: QueryShare) => {}) {
  for (let i = 0; i < BLOCKS; i++) await publishRows(hub, [rowOf(hub, i)]);
  const asked: QueryShare[] = [];
  const noted: QueryWorkers = {
    count: workers.count,
    async sum(share) {
      asked.push(share);
      await before(share);
      return workers.sum(share);
    },
  };
  const settings = { ...hub.settings, queryFanOutBytes: 1 };
  const failing = { ...hub.telemetry, count: countNoFailure };
  const alone: Hub = { ...hub, answers: undefined };
  return { alone, shared: { ...alone, settings, queryWorkers: noted, telemetry: failing }, asked };
}

function countNoFailure(name: string): void {
  assert.notEqual(name, 'query_failed_shares_total');
}

/** Every other of pod p1; with different stacks, so that merging has something to do. */
function rowOf(hub: Hub, i: number): WindowRow {
  return {
    ...{ service: 'shop', pod: `p${i % 2}`, start: startOf(hub, i), duration: 10_000, batch: `c/n/b/${i}` },
    ...{ stacks: { 'main;serve': 20_000_000, [`main;work${i % 3}`]: 10_000_000 }, samples: 3 },
  };
}

function startOf(hub: Hub, i: number): number {
  return Math.floor(hub.clock() / MINUTE) * MINUTE - (BLOCKS + 1 - i) * MINUTE;
}

const selectionOf = (hub: Hub) => ({
  ...{ profileType: CPU, selector: '{service_name="shop"}' },
  ...{ start: startOf(hub, -1), end: hub.clock() },
});

async function treeOf(hub: Hub) {
  const { completeness, ...answer } = await selectTree(hub, selectionOf(hub));
  return { ...answer, completeness: sorted(completeness) };
}

async function profileOf(hub: Hub) {
  const { bytes, completeness } = await selectPprof(hub, selectionOf(hub));
  const { sample, location, function: functions, stringTable } = Profile.decode(bytes);
  const nameOf = (id: number | bigint) => {
    const { line } = location.find((one) => one.id === id)!;
    const name = functions.find((one) => one.id === line[0]!.functionId)!.name;
    return stringTable.strings[Number(name)];
  };
  const samples = sample.map(({ locationId, value }) => `${locationId.map(nameOf).join(';')} ${value}`);
  assert.ok(samples.length > 3);
  return { samples: samples.sort(), completeness: sorted(completeness) };
}

function sorted(completeness: Completeness): Completeness {
  return { ...completeness, notes: completeness.notes.toSorted() };
}

/** Others are of what is known lost. */
function notesOfBlocks({ completeness }: { completeness: Completeness }): number {
  return completeness.notes.filter((note) => /\bblocks?\b/.test(note)).length;
}

async function keysOf(hub: Hub): Promise<string[]> {
  const search = { tenant: hub.tenant, from: startOf(hub, -1), until: hub.clock() };
  const rows = await hub.catalog.find(search);
  if (rows.length === 0) throw new RejectedError('not-found', 'no block is there');
  return rows.map(({ tenant, level, blockId }) => blockKey(tenant, level, blockId));
}
