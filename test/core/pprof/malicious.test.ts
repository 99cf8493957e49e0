import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MalformedInputError, RejectedError } from '../../../core/errors.ts';
import { labelValue } from '../../../core/labels/labels.ts';
import { bytesOf, len, num, varint } from '../wire/proto-bytes.ts';
import { contentOf, decode, totalsOf } from './decoded.ts';
import { plainSymbols, pprofBytes } from './pprof-bytes.ts';

// Inputs that were made to hurt. Each ends as a refusal or as a small profile, within bounds that are far above what a
// linear decoder takes and far below what a quadratic one would; what is refused harms nothing that was stored before.

const MIB = 1024 * 1024;
const MEMORY_MAX = 500 * MIB;
/** Generous, as machines are busy; a quadratic decoder takes minutes. */
const TIME_MAX_MS = 30_000;

function bounded<T>(work: () => T): T {
  const memory = process.memoryUsage().rss;
  const start = performance.now();
  try {
    return work();
  } finally {
    assert.ok(performance.now() - start < TIME_MAX_MS, `took ${performance.now() - start} ms`);
    const grown = process.memoryUsage().rss - memory;
    assert.ok(grown < MEMORY_MAX, `took ${grown / MIB} MiB`);
  }
}

const isRefusal = (error: unknown) => error instanceof MalformedInputError || error instanceof RejectedError;
const refused = (raw: Uint8Array, message: RegExp) =>
  assert.throws(
    () => bounded(() => decode(raw)),
    (error) => isRefusal(error) && message.test((error as Error).message),
  );

/** `count` times the same bytes. */
function repeated(bytes: number[], count: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(bytes.length * count);
  for (let i = 0; i < count; i++) out.set(bytes, i * bytes.length);
  return out;
}

const plain = pprofBytes({ ...plainSymbols(2), samples: [{ locations: [2, 1], values: [1] }] });

test('a string table of ten million empty strings', () => {
  refused(bytesOf(plain, repeated(len(6, ''), 10_000_000)), /pprof_strings_max/);
});

test('ten million samples of nothing', () => {
  refused(bytesOf(plain, repeated(len(2, []), 10_000_000)), /pprof_samples_max|values/);
});

test('a million location ids in one sample: the stack is cut', () => {
  const ids = repeated([1], 1_000_000);
  const header = [...varint((2 << 3) | 2), ...varint(ids.length + 4 + 3)];
  const raw = bytesOf(plain, header, varint((1 << 3) | 2), varint(ids.length), ids, len(2, [1]));
  const { dataset } = bounded(() => decode(raw));
  assert.equal(totalsOf(dataset)['test:samples:count::'], 2n);
  assert.ok(dataset.symbols.stacks.count < 1100);
});

test('a million lines in one location, used by many samples', () => {
  const lines = repeated(len(4, num(1, 1)), 1_000_000);
  const location = bytesOf(varint((4 << 3) | 2), varint(lines.length + 2), num(1, 9), lines);
  const samples = repeated(len(2, [...len(1, [9, 9, 9]), ...len(2, [1])]), 10_000);
  const { dataset } = bounded(() => decode(bytesOf(plain, location, samples)));
  assert.ok(dataset.symbols.stacks.count < 1100);
});

test('locations that unfold into new stacks for every pair of them', () => {
  const lines = repeated(len(4, num(1, 1)), 500);
  const parts: Uint8Array[] = [];
  for (let id = 10; id < 110; id++) {
    const line = len(4, [...num(1, 2), ...num(2, id)]);
    const body = bytesOf(num(1, id), lines, line);
    parts.push(bytesOf(varint((4 << 3) | 2), varint(body.length), body));
  }
  for (let a = 10; a < 110; a++)
    for (let b = 10; b < 110; b++) parts.push(bytesOf(len(2, [...len(1, [a, b]), ...len(2, [1])])));
  refused(bytesOf(plain, ...parts), /pprof_stack_nodes_max/);
});

test('the same deep stack a million times is refused by the frames it unfolds to', () => {
  const lines = repeated(len(4, num(1, 1)), 1000);
  const body = bytesOf(num(1, 9), lines);
  const samples = repeated(len(2, [...len(1, [9]), ...len(2, [1])]), 900_000);
  refused(bytesOf(plain, varint((4 << 3) | 2), varint(body.length), body, samples), /pprof_frames_max/);
});

test('lengths that promise more than there is', () => {
  for (const length of [2 ** 31, 2 ** 32, 2 ** 53, 2n ** 63n, 2n ** 64n - 1n])
    for (const field of [1, 2, 3, 4, 5, 6, 11])
      refused(bytesOf(plain, varint((field << 3) | 2), varint(length)), /announces|negative or passes/);
});

test('numbers without end', () => {
  refused(bytesOf(plain, [9 << 3], new Uint8Array(1000).fill(0xff)), /more than 64 bits/);
  refused(bytesOf(plain, new Uint8Array(1000).fill(0xff)), /more than 64 bits/);
});

test('a hundred thousand ids that fall into few slots', () => {
  // Sparse ids are hashed; these agree in their low bits, as an attacker's would.
  const parts: number[] = [];
  for (let i = 1; i <= 100_000; i++) for (const byte of len(4, num(1, BigInt(i) << 36n))) parts.push(byte);
  bounded(() => decode(bytesOf(plain, parts)));
});

test('a function name of 16 MB keeps its tail', () => {
  const name = 'n'.repeat(16 * MIB);
  const raw = pprofBytes({ ...plainSymbols(1), samples: [{ locations: [1], values: [1] }] });
  const strings = bytesOf(varint((6 << 3) | 2), varint(name.length), new TextEncoder().encode(name));
  // The new string is the last of the table: count the ones before it.
  const func = len(5, [...num(1, 7), ...num(2, 5)]);
  const used = bytesOf(
    len(4, [...num(1, 7), ...len(4, num(1, 7))]),
    func,
    len(2, [...len(1, [7]), ...len(2, [1])]),
  );
  const { dataset } = bounded(() => decode(bytesOf(raw, strings, len(6, 'x'), used)));
  assert.ok(dataset.symbols.strings.byteLength < 70_000);
  assert.equal(totalsOf(dataset)['test:samples:count::'], 2n);
});

test('names that are not UTF-8, markup, escapes, directions: kept as data', () => {
  const names = [
    '<img src=x onerror=alert(1)>',
    '\u202edlrow',
    '\u001b[2J',
    'a\0b',
    '$\u007bjndi:ldap}',
    '%s%n',
    '../../etc/passwd',
  ];
  const content = contentOf(
    decode(
      pprofBytes({
        functions: names.map((name, i) => ({ id: i + 1, name })),
        locations: names.map((_, i) => ({ id: i + 1, lines: [[i + 1]] })),
        samples: names.map((_, i) => ({ locations: [i + 1], values: [1] })),
      }),
    ).dataset,
  );
  assert.deepEqual(Object.keys(Object.values(content)[0]!).sort(), [...names].sort());
  const raw = pprofBytes({
    functions: [{ id: 1, name: 'x?y' }],
    locations: [{ id: 1, lines: [[1]] }],
    samples: [{ locations: [1], values: [1] }],
  });
  raw[raw.indexOf(63)] = 0xc0;
  assert.deepEqual(Object.values(contentOf(decode(raw).dataset)), [{ 'x\ufffdy': 1n }]);
});

test('labels named like members of objects touch no object', () => {
  const labels = Object.fromEntries([
    ['constructor', 'c'],
    ['toString', 't'],
    ['hasOwnProperty', 'h'],
    ['prototype', 'p'],
  ]);
  const hostile = { ...labels, ['__proto__']: 'polluted' };
  const { dataset } = decode(
    pprofBytes({ ...plainSymbols(1), samples: [{ locations: [1], values: [1], labels: hostile }] }),
  );
  const [, series] = dataset.labelSets;
  assert.equal(labelValue(series!, 'constructor'), 'c');
  assert.equal(labelValue(series!, 'toString'), 't');
  assert.equal(({} as Record<string, unknown>).polluted, undefined);
});

test('drop_frames and keep_frames are not even read', () => {
  const pattern = '(a+)+$';
  const index = 99;
  const raw = bytesOf(plain, num(7, index), num(8, index), len(7, pattern));
  const { dataset } = bounded(() => decode(raw));
  assert.deepEqual(Object.values(contentOf(dataset)), [{ 'f1;f2': 1n }]);
});

test('values at the ends of int64', () => {
  for (const value of [-(2n ** 63n), 2n ** 63n - 1n, 2n ** 53n, -(2n ** 53n)]) {
    const raw = pprofBytes({
      ...plainSymbols(1),
      samples: [
        { locations: [1], values: [value] },
        { locations: [1], values: [3] },
      ],
    });
    try {
      const { summary } = decode(raw);
      const [grown, shrunk] = summary.profileTypes;
      assert.equal(grown!.total - (shrunk?.total ?? 0n), value + 3n, String(value));
    } catch (error) {
      assert.ok(error instanceof RejectedError, String(error));
    }
  }
});

test('sums that pass every number', () => {
  const samples = Array.from({ length: 1000 }, (_, i) => ({
    locations: [1],
    values: [2n ** 62n + BigInt(i)],
  }));
  refused(pprofBytes({ ...plainSymbols(1), samples }), /window_total_max/);
});
