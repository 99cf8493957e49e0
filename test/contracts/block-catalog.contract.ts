import assert from 'node:assert/strict';
import { RejectedError } from '../../core/errors.ts';
import {
  type BlockCatalog,
  type BlockRow,
  MAX_CATALOG_PAGE,
  MAX_SWAP_BLOCKS,
} from '../../storage/block-catalog.ts';
import { assertRejected, type MakeAdapter, scenario } from './adapter.ts';

const MINUTE = 60_000;

/** A valid row of one minute and one dataset, with the given fields in place of the usual ones. */
export function aBlockRow(fields: Partial<BlockRow> & Pick<BlockRow, 'blockId'>): BlockRow {
  const minTime = fields.minTime ?? 10 * MINUTE;
  const maxTime = fields.maxTime ?? minTime + MINUTE;
  return {
    tenant: 'acme',
    level: 0,
    resolutionSeconds: 10,
    minTime,
    maxTime,
    size: 1000,
    directoryOffset: 900,
    directoryLength: 90,
    createdAt: 1,
    datasets: [{ service: 'web', profileTypes: ['cpu'], minTime, maxTime }],
    batchIds: ['c.n.b.0'],
    ...fields,
  };
}

const ids = (rows: { blockId: string }[]) => rows.map((row) => row.blockId);

/** What every BlockCatalog does. */
export function blockCatalogContract(name: string, make: MakeAdapter<BlockCatalog>): void {
  const it = (what: string, play: Parameters<typeof scenario<BlockCatalog, undefined>>[3]) =>
    scenario(`${name}: ${what}`, make, undefined, play);

  it('gives back a published row with every field', async ({ port, another }) => {
    const row = aBlockRow({
      blockId: 'a',
      level: 3,
      size: 2 ** 40,
      datasets: [
        { service: 'ünï/"code" — ✓', profileTypes: ['cpu', 'alloc'], minTime: 600_000, maxTime: 600_001 },
        { service: '', profileTypes: [], minTime: 600_000, maxTime: 660_000 },
      ],
      batchIds: [],
    });
    assert.equal(await port.publish(row), 'published');
    assert.deepEqual(await port.get('a'), row);
    assert.deepEqual(await (await another()).find({ tenant: 'acme', from: 0, until: 1e12 }), [row]);
    assert.equal(await port.get('b'), undefined);
  });

  it('publishes a block once, the first row stays', async ({ port, another }) => {
    const other = await another();
    const rows = Array.from({ length: 10 }, (_, i) => aBlockRow({ blockId: 'a', size: 1000 + i }));
    const answers = await Promise.all(rows.map((row, i) => (i % 2 ? port : other).publish(row)));
    assert.equal(answers.filter((answer) => answer === 'published').length, 1);
    assert.deepEqual(await port.get('a'), rows[answers.indexOf('published')]);
  });

  it('finds what overlaps a half-open range, in order', async ({ port }) => {
    await port.publish(aBlockRow({ blockId: 'c', minTime: 100, maxTime: 200 }));
    await port.publish(aBlockRow({ blockId: 'b', minTime: 100, maxTime: 101 }));
    await port.publish(aBlockRow({ blockId: 'd', minTime: 200, maxTime: 300 }));
    await port.publish(aBlockRow({ blockId: 'year', minTime: 0, maxTime: 365 * 24 * 60 * MINUTE }));
    await port.publish(aBlockRow({ blockId: 'other', tenant: 'umbrella', minTime: 0, maxTime: 1000 }));
    const find = async (from: number, until: number) => ids(await port.find({ tenant: 'acme', from, until }));
    assert.deepEqual(await find(0, 1e12), ['year', 'b', 'c', 'd']);
    assert.deepEqual(await find(101, 200), ['year', 'c']);
    assert.deepEqual(await find(199, 201), ['year', 'c', 'd']);
    assert.deepEqual(await find(200, 201), ['year', 'd']);
    assert.deepEqual(await find(0, 100), ['year']);
    assert.deepEqual(await find(300, 301), ['year']);
    assert.deepEqual(await find(150, 150), []);
    assert.deepEqual(await find(201, 199), []);
    assert.deepEqual(await find(-Infinity, Infinity), ['year', 'b', 'c', 'd']);
    assert.deepEqual(await port.find({ tenant: 'nobody', from: 0, until: 1e12 }), []);
  });

  it('finds what begins in a range, each block in one of ranges side by side', async ({ port }) => {
    const datasets = [{ service: 'only', profileTypes: ['cpu'], minTime: 100, maxTime: 200 }];
    await port.publish(aBlockRow({ blockId: 'a', minTime: 100, maxTime: 250, datasets }));
    await port.publish(aBlockRow({ blockId: 'b', minTime: 199, maxTime: 201 }));
    await port.publish(aBlockRow({ blockId: 'c', minTime: 200, maxTime: 300 }));
    await port.publish(aBlockRow({ blockId: 'year', minTime: 100, maxTime: 365 * 24 * 60 * MINUTE }));
    const find = async (from: number, until: number, service?: string) =>
      ids(await port.find({ tenant: 'acme', from, until, starting: true, ...(service && { service }) }));
    assert.deepEqual(await find(0, 100), []);
    assert.deepEqual(await find(100, 200), ['a', 'year', 'b']);
    assert.deepEqual(await find(200, 300), ['c']);
    assert.deepEqual(await find(300, 1e12), []);
    assert.deepEqual(await find(-Infinity, Infinity), ['a', 'year', 'b', 'c']);
    assert.deepEqual(await find(100, 101, 'only'), ['a']);
    assert.deepEqual(await find(101, 200, 'only'), []);
  });

  it('finds by service only where that dataset overlaps', async ({ port }) => {
    const web = { service: 'web', profileTypes: ['cpu'] };
    const api = { service: 'api', profileTypes: ['cpu'] };
    const datasets = [
      { ...web, minTime: 100, maxTime: 150 },
      { ...api, minTime: 150, maxTime: 200 },
      { ...api, minTime: 190, maxTime: 200 },
    ];
    await port.publish(aBlockRow({ blockId: 'a', minTime: 100, maxTime: 200, datasets }));
    const find = async (service: string, from: number, until: number) =>
      ids(await port.find({ tenant: 'acme', service, from, until }));
    assert.deepEqual(await find('web', 0, 101), ['a']);
    assert.deepEqual(await find('web', 150, 200), []);
    assert.deepEqual(await find('api', 100, 150), []);
    assert.deepEqual(await find('api', 0, 1000), ['a']);
    assert.deepEqual(await find('WEB', 0, 1000), []);
    assert.deepEqual(await port.find({ tenant: 'umbrella', service: 'web', from: 0, until: 1000 }), []);
  });

  it('swaps inputs for outputs in one step, and marks the inputs', async ({ port, another, clock }) => {
    const [a, b, c] = ['a', 'b', 'c'].map((blockId, i) =>
      aBlockRow({ blockId, minTime: i * 100, maxTime: i * 100 + 50 }),
    );
    for (const row of [a, b, c]) await port.publish(row);
    const merged = aBlockRow({ blockId: 'm', level: 1, minTime: 0, maxTime: 150 });
    assert.equal(await port.swap({ remove: ['a', 'b'], add: [merged], token: 't1' }), 'done');
    const other = await another();
    assert.deepEqual(ids(await other.find({ tenant: 'acme', from: 0, until: 1000 })), ['m', 'c']);
    assert.deepEqual(ids(await other.find({ tenant: 'acme', service: 'web', from: 0, until: 1000 })), [
      'm',
      'c',
    ]);
    assert.equal(await port.get('a'), undefined);
    assert.deepEqual(await port.listDeletionMarks(clock.now), []);
    const markedAt = clock.now;
    assert.deepEqual(await port.listDeletionMarks(clock.now + 1), [
      { blockId: 'a', tenant: 'acme', level: 0, markedAt },
      { blockId: 'b', tenant: 'acme', level: 0, markedAt },
    ]);
    assert.deepEqual(ids(await port.listDeletionMarks(clock.now + 1, 1)), ['a']);
  });

  it('changes nothing on conflict', async ({ port, clock }) => {
    const [a, b] = ['a', 'b'].map((blockId) => aBlockRow({ blockId }));
    await port.publish(a);
    await port.publish(b);
    const merged = aBlockRow({ blockId: 'm' });
    assert.equal(await port.swap({ remove: ['a', 'gone'], add: [merged], token: 't1' }), 'conflict');
    assert.equal(await port.swap({ remove: ['a'], add: [b], token: 't2' }), 'conflict');
    assert.deepEqual(ids(await port.find({ tenant: 'acme', from: 0, until: 1e9 })), ['a', 'b']);
    assert.deepEqual(await port.listDeletionMarks(clock.now + 1), []);
    assert.equal(
      await port.swap({ remove: ['a'], add: [merged], token: 't1' }),
      'done',
      'a conflict uses up no token',
    );
    assert.equal(
      await port.swap({ remove: ['b'], add: [a], token: 't4' }),
      'conflict',
      'a marked id is used',
    );
  });

  it('lets one of two swaps of an input through', async ({ port, another }) => {
    const other = await another();
    for (let round = 0; round < 5; round++) {
      await port.publish(aBlockRow({ blockId: `in${round}` }));
      const answers = await Promise.all(
        Array.from({ length: 6 }, (_, i) =>
          (i % 2 ? port : other).swap({
            remove: [`in${round}`],
            add: [aBlockRow({ blockId: `out${round}-${i}` })],
            token: `t${round}-${i}`,
          }),
        ),
      );
      assert.equal(answers.filter((answer) => answer === 'done').length, 1);
      const rows = await port.find({ tenant: 'acme', from: 0, until: 1e9 });
      assert.deepEqual(ids(rows).includes(`out${round}-${answers.indexOf('done')}`), true);
      assert.equal(rows.length, round + 1);
    }
  });

  it('answers a repeated swap as done, and refuses its token for another', async ({ port, clock }) => {
    await port.publish(aBlockRow({ blockId: 'a' }));
    await port.publish(aBlockRow({ blockId: 'b' }));
    const add = [aBlockRow({ blockId: 'm' }), aBlockRow({ blockId: 'n' })];
    assert.equal(await port.swap({ remove: ['a', 'b'], add, token: 't' }), 'done');
    clock.advance(6 * 24 * 60 * MINUTE);
    assert.equal(await port.swap({ remove: ['b', 'a'], add: [...add].reverse(), token: 't' }), 'done');
    assert.equal((await port.listDeletionMarks(clock.now)).length, 2);
    await assertRejected(port.swap({ remove: ['m'], add: [], token: 't' }), 'invalid');
    assert.deepEqual(ids(await port.find({ tenant: 'acme', from: 0, until: 1e9 })), ['m', 'n']);
    assert.equal(await port.swap({ remove: ['a', 'b'], add, token: 'another' }), 'conflict');
  });

  it('brings back no block that was swapped away, until it is forgotten', async ({ port, clock }) => {
    const row = aBlockRow({ blockId: 'a' });
    await port.publish(row);
    await port.forget('a');
    assert.deepEqual(await port.get('a'), row, 'a live block is not forgotten');
    assert.equal(await port.swap({ remove: ['a'], add: [], token: 'retention' }), 'done');
    assert.equal(await port.publish(row), 'exists');
    assert.deepEqual(await port.find({ tenant: 'acme', from: 0, until: 1e9 }), []);
    await port.forget('a');
    await port.forget('a');
    assert.deepEqual(await port.listDeletionMarks(clock.now + 1), []);
    assert.equal(await port.publish(row), 'published');
  });

  const ASIDE = { reason: 'its checksum does not match', at: 5 };
  const setAside = (blockId: string, token: string) => ({
    ...{ remove: [], add: [], token },
    setAside: [{ blockId, aside: ASIDE }],
  });

  it('sets a block aside for all but who asks for it, and puts it back as it was', async ({
    port,
    another,
  }) => {
    const row = aBlockRow({ blockId: 'a' });
    const next = aBlockRow({ blockId: 'b' });
    for (const one of [row, next]) await port.publish(one);
    assert.equal(await port.swap(setAside('a', 't1')), 'done');
    const other = await another();
    const range = { tenant: 'acme', from: 0, until: 1e9 };
    const aside = { ...row, aside: ASIDE };
    for (const service of [undefined, 'web']) {
      assert.deepEqual(await other.find({ ...range, service }), [next]);
      assert.deepEqual(await other.find({ ...range, service, withAside: true }), [aside, next]);
    }
    for (const level of [undefined, 0]) {
      assert.deepEqual(await other.list({ tenant: 'acme', level, limit: 9 }), [next]);
      assert.deepEqual(await other.list({ tenant: 'acme', level, limit: 9, withAside: true }), [aside, next]);
      assert.deepEqual(await other.list({ tenant: 'acme', level, limit: 1, after: row }), [next]);
    }
    assert.equal(await other.get('a'), undefined);
    assert.deepEqual(await other.get('a', { withAside: true }), aside);
    assert.deepEqual(await other.get('b', { withAside: true }), next);
    assert.equal(await port.swap({ remove: [], add: [], putBack: ['a'], token: 't2' }), 'done');
    assert.deepEqual(await other.find({ ...range, withAside: true }), [row, next]);
    assert.deepEqual(await other.get('a'), row);
  });

  it('keeps a block aside from whoever takes it for live', async ({ port, clock }) => {
    const row = aBlockRow({ blockId: 'a' });
    const m = aBlockRow({ blockId: 'm' });
    await port.publish(row);
    assert.equal(await port.swap({ remove: [], add: [], putBack: ['a'], token: 't0' }), 'conflict');
    assert.equal(await port.swap({ remove: [], add: [], removeAside: ['a'], token: 't0' }), 'conflict');
    assert.equal(await port.swap(setAside('a', 't1')), 'done');
    assert.equal(await port.swap(setAside('a', 't1')), 'done', 'a repeat');
    assert.equal(await port.swap(setAside('a', 't2')), 'conflict');
    assert.equal(await port.swap(setAside('gone', 't2')), 'conflict');
    assert.equal(await port.swap({ remove: ['a'], add: [m], token: 't2' }), 'conflict');
    assert.equal(await port.swap({ remove: [], add: [row], token: 't2' }), 'conflict');
    assert.equal(await port.publish(row), 'exists');
    await port.forget('a');
    assert.deepEqual(await port.get('a', { withAside: true }), { ...row, aside: ASIDE });
    await assertRejected(port.swap({ ...setAside('a', 't1'), putBack: ['b'] }), 'invalid');
    await assertRejected(port.swap({ ...setAside('a', 't3'), remove: ['a'] }), 'invalid');
    await assertRejected(port.publish({ ...m, aside: ASIDE }), 'invalid');
    assert.deepEqual(await port.listDeletionMarks(clock.now + 1), []);
    assert.equal(await port.swap({ remove: [], add: [], removeAside: ['a'], token: 't4' }), 'done');
    assert.equal(await port.get('a', { withAside: true }), undefined);
    assert.deepEqual(ids(await port.listDeletionMarks(clock.now + 1)), ['a']);
    assert.equal(await port.publish(row), 'exists');
    await port.forget('a');
    assert.equal(await port.publish(row), 'published');
    assert.deepEqual(await port.find({ tenant: 'acme', from: 0, until: 1e9 }), [row]);
  });

  it('sets aside, puts back, removes and adds in one step', async ({ port, clock }) => {
    for (const blockId of ['a', 'b', 'c', 'd']) await port.publish(aBlockRow({ blockId }));
    for (const blockId of ['b', 'c']) await port.swap(setAside(blockId, blockId));
    const add = [aBlockRow({ blockId: 'm' })];
    const swap = { ...setAside('a', 't'), remove: ['d'], add, putBack: ['b'], removeAside: ['c'] };
    assert.equal(await port.swap({ ...swap, putBack: ['b', 'm2'] }), 'conflict');
    assert.equal(await port.swap(swap), 'done');
    assert.deepEqual(ids(await port.find({ tenant: 'acme', from: 0, until: 1e9 })), ['b', 'm']);
    const all = await port.list({ tenant: 'acme', limit: 10, withAside: true });
    assert.deepEqual(ids(all), ['a', 'b', 'm']);
    assert.deepEqual(ids(await port.listDeletionMarks(clock.now + 1)), ['c', 'd']);
  });

  it('lists marks by age', async ({ port, clock }) => {
    for (const blockId of ['c', 'a', 'b']) {
      await port.publish(aBlockRow({ blockId }));
      await port.swap({ remove: [blockId], add: [], token: blockId });
      clock.advance(10);
    }
    assert.deepEqual(ids(await port.listDeletionMarks(clock.now)), ['c', 'a', 'b']);
    assert.deepEqual(ids(await port.listDeletionMarks(clock.now - 10)), ['c', 'a']);
  });

  it('lists a tenant page by page, by level or all', async ({ port }) => {
    for (let i = 0; i < 10; i++) {
      await port.publish(
        aBlockRow({ blockId: `b${i}`, level: i % 2, minTime: 1000 - (i >> 1), maxTime: 2000 }),
      );
    }
    await port.publish(aBlockRow({ blockId: 'x', tenant: 'umbrella' }));
    const all = ['b8', 'b9', 'b6', 'b7', 'b4', 'b5', 'b2', 'b3', 'b0', 'b1'];
    for (const limit of [1, 3, 10, 1000]) {
      assert.deepEqual(await pages(port, limit), all);
      assert.deepEqual(await pages(port, limit, 0), ['b8', 'b6', 'b4', 'b2', 'b0']);
      assert.deepEqual(await pages(port, limit, 7), []);
    }
    await assertRejected(port.list({ tenant: 'acme', limit: MAX_CATALOG_PAGE + 1 }), 'invalid');
    await assertRejected(port.list({ tenant: 'acme', limit: 0 }), 'invalid');
  });

  it('refuses broken rows', async ({ port }) => {
    const dataset = { service: 's', profileTypes: [], minTime: 600_000, maxTime: 660_000 };
    const broken: Partial<BlockRow>[] = [
      { blockId: '../a' },
      { blockId: '' },
      { tenant: 'a/b' },
      { minTime: 5, maxTime: 5 },
      { minTime: -5 },
      { minTime: 1.5 },
      { size: Number.NaN },
      { size: 2 ** 60 },
      { level: -1 },
      { resolutionSeconds: -1 },
      { directoryOffset: 990 },
      { datasets: [{ ...dataset, minTime: 599_999 }] },
      { datasets: [{ ...dataset, maxTime: 660_001 }] },
      { datasets: [{ ...dataset, maxTime: 600_000 }] },
    ];
    for (const fields of broken) {
      await assertRejected(port.publish(aBlockRow({ blockId: 'a', ...fields })), 'invalid');
      await assertRejected(
        port.swap({ remove: [], add: [aBlockRow({ blockId: 'a', ...fields })], token: 't' }),
        'invalid',
      );
    }
    assert.deepEqual(await port.find({ tenant: 'acme', from: 0, until: 1e15 }), []);
  });

  it('swaps up to its limit, and refuses broken swaps', async ({ port }) => {
    const remove = Array.from({ length: MAX_SWAP_BLOCKS - 1 }, (_, i) => `b${i}`);
    for (const blockId of remove) await port.publish(aBlockRow({ blockId }));
    const m = aBlockRow({ blockId: 'm' });
    await assert.rejects(port.swap({ remove: [...remove, 'more'], add: [m], token: 't' }), (error) => {
      assert.ok(error instanceof RejectedError && error.reason === 'too-large');
      assert.match(
        error.message,
        new RegExp(`catalog.maxSwapBlocks is ${MAX_SWAP_BLOCKS} blocks, this has ${MAX_SWAP_BLOCKS + 1}`),
      );
      return true;
    });
    await assertRejected(port.swap({ remove: [], add: [], token: 't' }), 'invalid');
    await assertRejected(port.swap({ remove: ['b0', 'b0'], add: [m], token: 't' }), 'invalid');
    await assertRejected(
      port.swap({ remove: ['b0'], add: [aBlockRow({ blockId: 'b0' })], token: 't' }),
      'invalid',
    );
    await assertRejected(port.swap({ remove: ['b0'], add: [m], token: '' }), 'invalid');
    assert.equal(await port.swap({ remove, add: [m], token: 't' }), 'done');
    assert.deepEqual(ids(await port.find({ tenant: 'acme', from: 0, until: 1e9 })), ['m']);
  });
}

async function pages(port: BlockCatalog, limit: number, level?: number): Promise<string[]> {
  const rows: BlockRow[] = [];
  for (;;) {
    const page = await port.list({ tenant: 'acme', level, after: rows.at(-1), limit });
    assert.ok(page.length <= limit);
    rows.push(...page);
    if (page.length < limit) return ids(rows);
  }
}
