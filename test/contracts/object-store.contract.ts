import assert from 'node:assert/strict';
import {
  MAX_KEY_LENGTH,
  MAX_LIST_LENGTH,
  MAX_SEGMENT_LENGTH,
  type ObjectStore,
} from '../../storage/object-store.ts';
import { assertRejected, type MakeAdapter, scenario } from './adapter.ts';

const HOSTILE_KEYS = [
  '',
  '/',
  'a/',
  '/a',
  'a//b',
  '.',
  '..',
  '../a',
  'a/../b',
  'a/./b',
  'a\\b',
  'a b',
  'a\0b',
  'a\nb',
  'ü',
  'a%2fb',
  '~/a',
  'a'.repeat(MAX_SEGMENT_LENGTH + 1),
  `${'a/'.repeat(MAX_KEY_LENGTH / 2)}a`,
];

const bytes = (...values: number[]) => Uint8Array.from(values);
const plain = (value: Uint8Array | undefined) => value && Uint8Array.from(value);

/** What a store leaves to the server below it. */
export interface ObjectStoreTraits {
  /** Objects are dated by the clock that the store was opened with, and not by that of a server. */
  datesByClock: boolean;
}

/** What every ObjectStore does. */
export function objectStoreContract(
  name: string,
  make: MakeAdapter<ObjectStore>,
  { datesByClock }: ObjectStoreTraits = { datesByClock: true },
): void {
  const it = (what: string, play: Parameters<typeof scenario<ObjectStore, undefined>>[3]) =>
    scenario(`${name}: ${what}`, make, undefined, play);

  it('gives back what was put', async ({ port, another }) => {
    assert.equal(await port.put('blocks/t/0/a.block', bytes(1, 2, 3)), 'created');
    assert.equal(await port.put('empty', bytes()), 'created');
    assert.deepEqual(plain(await port.get('blocks/t/0/a.block')), bytes(1, 2, 3));
    assert.deepEqual(plain(await port.get('empty')), bytes());
    assert.deepEqual(plain(await (await another()).get('blocks/t/0/a.block')), bytes(1, 2, 3));
    assert.equal(await port.get('blocks/t/0/b.block'), undefined);
    assert.equal(await port.get('blocks/t'), undefined);
    assert.equal(await port.get('empty/below'), undefined);
  });

  it('stores the bytes of a view, not those around it', async ({ port }) => {
    await port.put('view', bytes(1, 2, 3, 4, 5).subarray(1, 3));
    assert.deepEqual(plain(await port.get('view')), bytes(2, 3));
  });

  it('stores an object of several MiB whole', async ({ port }) => {
    const large = Uint8Array.from({ length: 3 * 1024 * 1024 + 7 }, (_, i) => (i * 31) ^ (i >> 11));
    await port.put('large', large);
    assert.deepEqual(plain(await port.get('large')), large);
    assert.deepEqual(plain(await port.getRange('large', 5, 2_500_000)), large.slice(5, 2_500_000));
  });

  it('never replaces an object, nor calls an equal one created', async ({ port }) => {
    await port.put('key', bytes(1));
    assert.equal(await port.put('key', bytes(2)), 'exists');
    assert.equal(await port.put('key', bytes(1)), 'exists');
    assert.deepEqual(plain(await port.get('key')), bytes(1));
  });

  it('lets exactly one of many parallel puts of a key win, across clients', async ({ port, another }) => {
    const other = await another();
    for (let round = 0; round < 5; round++) {
      const key = `race/r${round}/key`;
      const puts = Array.from({ length: 20 }, (_, i) =>
        (i % 2 ? port : other).put(key, new Uint8Array(1000).fill(i)),
      );
      const answers = await Promise.all(puts);
      assert.equal(answers.filter((answer) => answer === 'created').length, 1);
      const winner = answers.indexOf('created');
      assert.deepEqual(plain(await port.get(key)), new Uint8Array(1000).fill(winner));
    }
  });

  it('reads ranges, clamped at the end', async ({ port }) => {
    await port.put('key', bytes(0, 1, 2, 3, 4));
    assert.deepEqual(plain(await port.getRange('key', 1, 3)), bytes(1, 2));
    assert.deepEqual(plain(await port.getRange('key', 0, 5)), bytes(0, 1, 2, 3, 4));
    assert.deepEqual(plain(await port.getRange('key', 3, Number.MAX_SAFE_INTEGER)), bytes(3, 4));
    assert.deepEqual(plain(await port.getRange('key', 5, 6)), bytes());
    assert.deepEqual(plain(await port.getRange('key', 2 ** 40, 2 ** 41)), bytes());
    await assertRejected(port.getRange('absent', 0, 1), 'not-found');
    const broken = [
      [-1, 2],
      [2, 2],
      [3, 2],
      [0.5, 2],
      [0, Number.NaN],
      [0, Infinity],
    ];
    for (const [start, end] of broken) await assertRejected(port.getRange('key', start, end), 'invalid');
  });

  it('reads tails with the size of the object', async ({ port }) => {
    await port.put('key', bytes(0, 1, 2, 3, 4));
    await port.put('empty', bytes());
    const tail = async (key: string, length: number) => {
      const { bytes, size } = await port.getTail(key, length);
      return { bytes: Uint8Array.from(bytes), size };
    };
    assert.deepEqual(await tail('key', 2), { bytes: bytes(3, 4), size: 5 });
    assert.deepEqual(await tail('key', 5), { bytes: bytes(0, 1, 2, 3, 4), size: 5 });
    assert.deepEqual(await tail('key', 1e12), { bytes: bytes(0, 1, 2, 3, 4), size: 5 });
    assert.deepEqual(await tail('empty', 8), { bytes: bytes(), size: 0 });
    await assertRejected(port.getTail('absent', 1), 'not-found');
    for (const length of [0, -1, 1.5, Number.NaN])
      await assertRejected(port.getTail('key', length), 'invalid');
  });

  it('deletes, twice over, and frees the key', async ({ port }) => {
    await port.put('a/b', bytes(1));
    await port.delete('a/b');
    await port.delete('a/b');
    await port.delete('never/was');
    assert.equal(await port.get('a/b'), undefined);
    assert.equal(await port.put('a/b', bytes(2)), 'created');
    assert.deepEqual(plain(await port.get('a/b')), bytes(2));
  });

  it('lists by prefix in order of keys, page by page', async ({ port, clock }) => {
    const keys = [
      'a',
      'a-b',
      'a.b',
      'b/1',
      'b/10',
      'b/2',
      'b-c/1',
      'b.c',
      'b=/x',
      'c/d/e',
      'c/d-e',
      'c/d.f/g',
      'B/1',
    ];
    for (const key of keys) await port.put(key, new Uint8Array(key.length));
    const written = clock.now;
    clock.advance(5000);
    await port.put('z', bytes());
    const ordered = [...keys, 'z'].sort();
    const all = await port.list('', { limit: MAX_LIST_LENGTH });
    assert.deepEqual(
      all.map((entry) => entry.key),
      ordered,
    );
    const dated = (at: number, entry: { writtenAt: number }) => (datesByClock ? at : entry.writtenAt);
    const last = all[all.length - 1];
    assert.deepEqual(last, { key: 'z', size: 0, writtenAt: dated(written + 5000, last) });
    assert.deepEqual(all[0], { key: 'B/1', size: 3, writtenAt: dated(written, all[0]) });
    assert.ok(all[0].writtenAt > 0 && all[0].writtenAt <= last.writtenAt);
    for (const prefix of ['', 'a', 'b', 'b/', 'b/1', 'c/d', 'c/d/', 'x', 'b-', 'zz']) {
      const under = ordered.filter((key) => key.startsWith(prefix));
      for (const limit of [1, 3, 100])
        assert.deepEqual(await pages(port, prefix, limit), under, `${prefix} by ${limit}`);
    }
    const after = await port.list('b', { after: 'b/1zzz', limit: 2 });
    assert.deepEqual(
      after.map((entry) => entry.key),
      ['b/2', 'b=/x'],
    );
    for (const prefix of ['../', 'a/../', '/', 'a//', 'a b']) {
      await assertRejected(port.list(prefix, { limit: 1 }), 'invalid');
    }
    for (const limit of [0, -1, 1.5, MAX_LIST_LENGTH + 1])
      await assertRejected(port.list('', { limit }), 'invalid');
  });

  it('refuses hostile keys everywhere', async ({ port }) => {
    for (const key of HOSTILE_KEYS) {
      await assertRejected(port.put(key, bytes(1)), 'invalid');
      await assertRejected(port.get(key), 'invalid');
      await assertRejected(port.getRange(key, 0, 1), 'invalid');
      await assertRejected(port.getTail(key, 1), 'invalid');
      await assertRejected(port.delete(key), 'invalid');
    }
    assert.deepEqual(await port.list('', { limit: 10 }), []);
  });

  it('takes the longest keys and all allowed characters', async ({ port }) => {
    const longest = `c/${'a'.repeat(MAX_SEGMENT_LENGTH)}/${'b'.repeat(MAX_KEY_LENGTH - MAX_SEGMENT_LENGTH - 3)}`;
    assert.equal(longest.length, MAX_KEY_LENGTH);
    for (const key of [longest, 'A-Z_az=09.x/...', '-/=/_', '..a/.b']) {
      assert.equal(await port.put(key, bytes(1)), 'created');
      assert.deepEqual(plain(await port.get(key)), bytes(1));
    }
  });
}

async function pages(port: ObjectStore, prefix: string, limit: number): Promise<string[]> {
  const keys: string[] = [];
  for (;;) {
    const page = await port.list(prefix, { after: keys.at(-1), limit });
    assert.ok(page.length <= limit);
    keys.push(...page.map((entry) => entry.key));
    if (page.length < limit) return keys;
  }
}
