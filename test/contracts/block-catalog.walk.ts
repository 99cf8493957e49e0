import assert from 'node:assert/strict';
import type { BlockCatalog, BlockRow, BlockSwap, DeletionMark } from '../../storage/block-catalog.ts';
import { assertRejected, type TestClock } from './adapter.ts';
import { aBlockRow } from './block-catalog.contract.ts';
import type { Chance, Step } from './fuzz-walk.ts';

const TENANTS = ['acme', 'umbrella'];
const SERVICES = ['web', 'api', 'db'];

/** Few ids, so that they meet often. */
const IDS = Array.from({ length: 14 }, (_, i) => `b${i}`);

/** A block of one of several lengths, from 1 ms to a long one, in a small stretch of time. */
function randomRow(chance: Chance, blockId: string): BlockRow {
  const minTime = chance.below(200);
  const maxTime = minTime + 1 + chance.below(2 ** chance.below(10));
  const datasets = chance.some(SERVICES, 0.5).map((service) => {
    const from = minTime + chance.below(maxTime - minTime);
    return {
      service,
      profileTypes: ['cpu'],
      minTime: from,
      maxTime: from + 1 + chance.below(maxTime - from),
    };
  });
  return aBlockRow({
    blockId,
    tenant: chance.pick(TENANTS),
    level: chance.below(3),
    minTime,
    maxTime,
    datasets,
  });
}

const inOrder = (a: BlockRow, b: BlockRow) => a.minTime - b.minTime || (a.blockId < b.blockId ? -1 : 1);

/** The naive catalog: maps, searched from end to end. */
class ModelCatalog {
  readonly live = new Map<string, BlockRow>();
  readonly marks = new Map<string, DeletionMark>();
  readonly swaps = new Map<string, BlockSwap>();

  known = (blockId: string) => this.live.has(blockId) || this.marks.has(blockId);

  find(tenant: string, from: number, until: number, service?: string, withAside = false): BlockRow[] {
    const overlaps = (span: { minTime: number; maxTime: number }) =>
      from < until && span.minTime < until && span.maxTime > from;
    return this.of(tenant, withAside)
      .filter(overlaps)
      .filter(
        (row) =>
          service === undefined || row.datasets.some((slice) => slice.service === service && overlaps(slice)),
      );
  }
  of(tenant: string, withAside: boolean): BlockRow[] {
    const rows = [...this.live.values()].filter((row) => withAside || row.aside === undefined);
    return rows.filter((row) => row.tenant === tenant).sort(inOrder);
  }
  swap(swap: BlockSwap, now: number): 'done' | 'conflict' {
    const { remove, add, setAside = [], putBack = [], removeAside = [], token } = swap;
    const isAside = (id: string) => this.live.get(id)?.aside !== undefined;
    const isLive = (id: string) => this.live.has(id) && !isAside(id);
    const areThere =
      [...remove, ...setAside.map(({ blockId }) => blockId)].every(isLive) &&
      [...putBack, ...removeAside].every(isAside);
    if (!areThere || add.some((row) => this.known(row.blockId))) return 'conflict';
    for (const { blockId, aside } of setAside) this.live.set(blockId, { ...this.live.get(blockId)!, aside });
    for (const id of putBack) {
      const { aside: _, ...row } = this.live.get(id)!;
      this.live.set(id, row);
    }
    for (const blockId of [...remove, ...removeAside]) {
      const { tenant, level } = this.live.get(blockId) as BlockRow;
      this.marks.set(blockId, { blockId, tenant, level, markedAt: now });
      this.live.delete(blockId);
    }
    for (const row of add) this.live.set(row.blockId, row);
    this.swaps.set(token, swap);
    return 'done';
  }
}

/** Steps that do the same to the catalog, through either of two clients, and to the naive one, and compare all answers. */
export function blockCatalogSteps(clients: BlockCatalog[], clock: TestClock, chance: Chance): Step[] {
  const model = new ModelCatalog();
  const client = () => chance.pick(clients);

  const publish: Step = async () => {
    const row = randomRow(chance, chance.pick(IDS));
    const expected = model.known(row.blockId) ? 'exists' : 'published';
    if (expected === 'published') model.live.set(row.blockId, row);
    assert.equal(await client().publish(row), expected);
    return `publish ${row.blockId} [${row.minTime}, ${row.maxTime}): ${expected}`;
  };
  const swap: Step = async () => {
    const live = [...model.live.keys()];
    const remove = chance.below(4) === 0 ? chance.some(IDS, 0.15) : chance.some(live, 0.3);
    const fresh = IDS.filter((id) => !remove.includes(id) && (chance.below(4) === 0 || !model.known(id)));
    const add = chance.some(fresh, 0.2).map((blockId) => randomRow(chance, blockId));
    const asked = { remove, add, token: `t${model.swaps.size}-${chance.below(1000)}` };
    if (remove.length + add.length === 0) {
      await assertRejected(client().swap(asked), 'invalid');
      return 'swap nothing';
    }
    const expected = model.swap(asked, clock.now);
    assert.equal(await client().swap(asked), expected);
    return `swap ${remove} for ${add.map((row) => row.blockId)}: ${expected}`;
  };
  const asides: Step = async () => {
    const [live, aside] = [false, true].map((isAside) =>
      [...model.live.values()]
        .filter((row) => (row.aside !== undefined) === isAside)
        .map(({ blockId }) => blockId),
    ) as [string[], string[]];
    const some = (ids: string[]) => (chance.below(5) === 0 ? chance.some(IDS, 0.1) : chance.some(ids, 0.3));
    const setAside = some(live).map((blockId) => ({ blockId, aside: { reason: 'r', at: chance.below(9) } }));
    const taken = new Set(setAside.map(({ blockId }) => blockId));
    const free = (ids: string[]) => ids.filter((id) => !taken.has(id) && taken.add(id));
    const [putBack, removeAside, remove] = [some(aside), some(aside), some(live)].map(free);
    const asked = {
      ...{ remove: remove!, add: [], setAside, putBack, removeAside },
      token: `t${model.swaps.size}-${chance.below(1000)}`,
    };
    if (taken.size === 0) return 'nothing to set aside';
    const expected = model.swap(asked, clock.now);
    assert.equal(await client().swap(asked), expected);
    return `set ${setAside.map(({ blockId }) => blockId)} aside, put ${putBack} back, drop ${removeAside}: ${expected}`;
  };
  const repeat: Step = async () => {
    const earlier = [...model.swaps.values()];
    if (earlier.length === 0) return 'nothing to repeat';
    const again = chance.pick(earlier);
    assert.equal(await client().swap({ ...again, remove: [...again.remove].reverse() }), 'done');
    const other = { ...again, remove: [...again.remove, 'another'] };
    await assertRejected(client().swap(other), 'invalid');
    return `repeat ${again.token}`;
  };
  const find: Step = async () => {
    const from = chance.below(300) - 20;
    const until = from + chance.below(2 ** chance.below(10)) - 3;
    const tenant = chance.pick(TENANTS);
    const service = chance.pick([undefined, ...SERVICES]);
    const withAside = chance.pick([undefined, false, true]);
    assert.deepEqual(
      await client().find({ tenant, from, until, service, withAside }),
      model.find(tenant, from, until, service, withAside),
    );
    return `find ${tenant} ${service} [${from}, ${until})`;
  };
  const get: Step = async () => {
    const blockId = chance.pick(IDS);
    const row = model.live.get(blockId);
    assert.deepEqual(await client().get(blockId, { withAside: true }), row);
    assert.deepEqual(await client().get(blockId), row?.aside === undefined ? row : undefined);
    return `get ${blockId}`;
  };
  const list: Step = async () => {
    const tenant = chance.pick(TENANTS);
    const level = chance.pick([undefined, 0, 1]);
    const after = chance.pick([undefined, ...model.live.values()]);
    const limit = 1 + chance.below(5);
    const withAside = chance.pick([undefined, false, true]);
    const expected = model
      .of(tenant, withAside ?? false)
      .filter((row) => level === undefined || row.level === level)
      .filter((row) => after === undefined || inOrder(after, row) < 0)
      .filter((row) => row.blockId !== after?.blockId);
    assert.deepEqual(
      await client().list({ tenant, level, after, limit, withAside }),
      expected.slice(0, limit),
    );
    return `list ${tenant} ${level} after ${after?.blockId}`;
  };
  const marks: Step = async () => {
    const before = clock.now - chance.below(30);
    const expected = [...model.marks.values()]
      .filter((mark) => mark.markedAt < before)
      .sort((a, b) => a.markedAt - b.markedAt || (a.blockId < b.blockId ? -1 : 1));
    assert.deepEqual(await client().listDeletionMarks(before), expected);
    return `marks before ${before}: ${expected.map((mark) => mark.blockId)}`;
  };
  const forget: Step = async () => {
    const blockId = chance.pick(IDS);
    model.marks.delete(blockId);
    await client().forget(blockId);
    return `forget ${blockId}`;
  };
  const wait: Step = async () => {
    clock.advance(1 + chance.below(20));
    return 'wait';
  };
  // Frequent steps stand more than once.
  return [
    publish,
    publish,
    swap,
    swap,
    asides,
    asides,
    repeat,
    find,
    find,
    find,
    get,
    list,
    marks,
    forget,
    forget,
    wait,
  ];
}
