import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MalformedInputError, RejectedError } from '../../../core/errors.ts';
import { addPprof } from '../../../core/pprof/decode-pprof.ts';
import { DEFAULT_PPROF_LIMITS, type PprofLimits } from '../../../core/pprof/pprof-limits.ts';
import { DatasetBuilder } from '../../../core/profile/dataset-builder.ts';
import { len, num } from '../wire/proto-bytes.ts';
import { contentOf, decode, NOW, OPTIONS, totalsOf } from './decoded.ts';
import { type PprofText, plainSymbols, pprofBytes } from './pprof-bytes.ts';

const decodeText = (text: PprofText, options = {}) => decode(pprofBytes(text), options);
const contentOfText = (text: PprofText, options = {}) => contentOf(decodeText(text, options).dataset);
const TYPE = 'test:samples:count::{}';

test('stacks come leaf first and are kept root first', () => {
  const content = contentOfText({
    ...plainSymbols(3),
    samples: [
      { locations: [3, 2, 1], values: [5] },
      { locations: [2, 1], values: [1] },
      { locations: [3, 2, 1], values: [2] },
    ],
  });
  assert.deepEqual(content, { [TYPE]: { 'f1;f2;f3': 7n, 'f1;f2': 1n } });
});

test('packed or not, strings first or last: the same profile', () => {
  const text: PprofText = {
    ...plainSymbols(200),
    sampleTypes: ['samples/count', 'cpu/nanoseconds'],
    samples: Array.from({ length: 50 }, (_, i) => ({
      locations: [200 - i, 150, i + 1],
      values: [i + 1, (i + 1) * 10_000_000],
    })),
  };
  const expected = contentOfText(text);
  assert.equal(Object.keys(expected['test:cpu:nanoseconds::{}']!).length, 50);
  assert.deepEqual(contentOfText({ ...text, isUnpacked: true }), expected);
  assert.deepEqual(contentOfText({ ...text, stringsFirst: true }), expected);
  assert.deepEqual(contentOfText({ ...text, isUnpacked: true, stringsFirst: true }), expected);
});

test('ids are any 64-bit numbers', () => {
  const [a, b, c] = [2n ** 63n + 5n, 2n ** 60n, 1n];
  const content = contentOfText({
    functions: [
      { id: a, name: 'a' },
      { id: b, name: 'b' },
      { id: c, name: 'c' },
    ],
    locations: [
      { id: c, lines: [[a]] },
      { id: a, lines: [[b]] },
      { id: b, lines: [[c]] },
    ],
    samples: [{ locations: [a, b, c], values: [1] }],
  });
  assert.deepEqual(content, { [TYPE]: { 'a;c;b': 1n } });
});

test('ids of every length meet the same locations', () => {
  const ids = [127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 2 ** 28, 2 ** 35];
  const content = contentOfText({
    functions: ids.map((id) => ({ id, name: `f${id}` })),
    locations: ids.map((id) => ({ id, lines: [[id]] })),
    samples: ids.map((id, i) => ({ locations: [id, ids[0]!], values: [i + 1] })),
  });
  assert.deepEqual(content, {
    [TYPE]: Object.fromEntries(ids.map((id, i) => [`f127;f${id}`, BigInt(i + 1)])),
  });
});

test('inlined lines become a run of frames, the outermost first', () => {
  const { dataset } = decodeText({
    functions: [
      { id: 1, name: 'main' },
      { id: 2, name: 'serve' },
      { id: 3, name: 'check' },
    ],
    locations: [
      { id: 1, lines: [[1, 10]] },
      {
        id: 2,
        lines: [
          [3, 30],
          [2, 20],
        ],
      },
    ],
    samples: [{ locations: [2, 1], values: [1] }],
  });
  assert.deepEqual(contentOf(dataset), { [TYPE]: { 'main:10;serve:20+check:30': 1n } });
});

test('addresses: all of them, or only those that can still be looked up', () => {
  const text: PprofText = {
    mappings: [
      { id: 1, start: 0x400000, limit: 0x500000, offset: 0x1000, filename: '/bin/app', buildId: 'abc' },
    ],
    functions: [{ id: 1, name: 'main' }, { id: 2 }],
    locations: [
      { id: 1, mapping: 1, address: 0x400010, lines: [[1]] },
      { id: 2, mapping: 1, address: 0x400020 },
      { id: 3, mapping: 1, address: 0x600000 },
      { id: 4, address: 2n ** 64n - 1n },
      { id: 5, mapping: 1, address: 0x400030, lines: [[2], [1]] },
    ],
    samples: [{ locations: [5, 4, 3, 2, 1], values: [1] }],
  };
  assert.deepEqual(Object.keys(contentOfText(text)[TYPE]!), [
    'main(/bin/app)@400010;(/bin/app)@400020;(/bin/app)@600000;@ffffffffffffffff;main(/bin/app)@400030+(/bin/app)@400030',
  ]);
  assert.deepEqual(Object.keys(contentOfText(text, { keepAddresses: 'unsymbolized' })[TYPE]!), [
    'main(/bin/app);(/bin/app)@1020;(/bin/app)@600000;@ffffffffffffffff;main(/bin/app)@1030+(/bin/app)@1030',
  ]);
});

test('kernel addresses keep all their bits', () => {
  const start = 0xffff_ffff_8100_0000n;
  const content = contentOfText(
    {
      mappings: [{ id: 1, start, limit: 2n ** 64n - 1n, filename: '[kernel]' }],
      locations: [{ id: 1, mapping: 1, address: start + 0x1001n }],
      samples: [{ locations: [1], values: [1] }],
    },
    { keepAddresses: 'unsymbolized' },
  );
  assert.deepEqual(Object.keys(content[TYPE]!), ['([kernel])@1001']);
});

test('two processes of one program at other addresses share all stacks', () => {
  const at = (start: number): PprofText => ({
    mappings: [{ id: 1, start, limit: start + 0x1000, filename: 'app' }],
    functions: [{ id: 1, name: 'main' }],
    locations: [
      { id: 1, mapping: 1, address: start + 1, lines: [[1]] },
      { id: 2, mapping: 1, address: start + 2 },
    ],
    samples: [{ locations: [2, 1], values: [1] }],
  });
  const dataset = new DatasetBuilder('shop');
  for (const start of [0x1000, 0x7f00_0000])
    addPprof(dataset, pprofBytes(at(start)), { ...OPTIONS, keepAddresses: 'unsymbolized' });
  assert.equal(dataset.symbols.stacks.count, 3);
  assert.deepEqual(contentOf(dataset), { [TYPE]: { 'main(app);(app)@2': 2n } });
});

test('what no sample with a value reaches is not interned', () => {
  const { dataset, summary } = decodeText({
    ...plainSymbols(5),
    samples: [
      { locations: [1], values: [1] },
      { locations: [3, 2], values: [0] },
    ],
  });
  assert.equal(dataset.symbols.strings.find('f2'), -1);
  assert.equal(dataset.symbols.stacks.count, 2);
  assert.equal(summary.locations, 1);
  assert.equal(summary.sampleRecords, 2);
});

test('several sample types: rows of their own, samples counted by the type that counts them', () => {
  const { dataset, summary } = decodeText({
    ...plainSymbols(2),
    sampleTypes: ['samples/count', 'cpu/nanoseconds', 'idle/nanoseconds'],
    periodType: 'cpu/nanoseconds',
    period: 10_000_000,
    samples: [
      { locations: [1], values: [3, 30_000_000, 0] },
      { locations: [2], values: [2, 20_000_000, 0] },
    ],
  });
  assert.deepEqual(totalsOf(dataset), {
    'test:samples:count:cpu:nanoseconds': 5n,
    'test:cpu:nanoseconds:cpu:nanoseconds': 50_000_000n,
  });
  assert.deepEqual(
    summary.profileTypes.map(({ total, samples }) => [total, samples]),
    [
      [5n, 5],
      [50_000_000n, 5],
      [0n, 0],
    ],
  );
  assert.equal(summary.period, 10_000_000n);
  assert.equal(dataset.types.get('test:cpu:nanoseconds:cpu:nanoseconds')!.scale[0], 10_000_000);
});

test('without a type that counts samples, records with a value are counted', () => {
  const { summary } = decodeText({
    ...plainSymbols(2),
    sampleTypes: ['alloc_space/bytes', 'inuse_space/bytes'],
    samples: [
      { locations: [1], values: [512, 0] },
      { locations: [2], values: [512, 64] },
    ],
  });
  assert.deepEqual(
    summary.profileTypes.map(({ samples }) => samples),
    [2, 1],
  );
});

test('sample labels become series; base labels, reserved names and per-sample ids do not', () => {
  const { dataset } = decodeText(
    {
      ...plainSymbols(1),
      samples: [
        { locations: [1], values: [1], labels: { thread: 'a', trace_id: 'x', service_name: 'evil' } },
        { locations: [1], values: [2], labels: { trace_id: 'y', thread: 'a', cluster: 'evil' } },
        { locations: [1], values: [4], labels: { thread: 'b', __name__: 'evil' } },
        { locations: [1], values: [8], labels: { cpu: 3, bytes: 4096 } },
        { locations: [1], values: [16], labels: { cpu: -1 } },
        { locations: [1], values: [32] },
      ],
    },
    {
      labels: [
        ['cluster', 'c1'],
        ['service_name', 'shop'],
      ],
    },
  );
  assert.deepEqual(contentOf(dataset), {
    'test:samples:count::{cluster=c1,}': { f1: 32n },
    'test:samples:count::{cluster=c1,thread=a,}': { f1: 3n },
    'test:samples:count::{cluster=c1,thread=b,}': { f1: 4n },
    'test:samples:count::{cluster=c1,cpu=3,}': { f1: 8n },
    'test:samples:count::{cluster=c1,cpu=-1,}': { f1: 16n },
  });
});

test('label order does not make another series', () => {
  const { summary } = decodeText({
    ...plainSymbols(1),
    samples: [
      { locations: [1], values: [1], labels: { a: '1', b: '2' } },
      { locations: [1], values: [1], labels: { b: '2', a: '1' } },
    ],
  });
  assert.equal(summary.labelSets, 2, 'the base labels and one more');
});

test('more label sets than allowed share one that says so', () => {
  const { dataset, summary } = decodeText(
    {
      ...plainSymbols(1),
      samples: Array.from({ length: 10 }, (_, i) => ({ locations: [1], values: [1], labels: { i: `${i}` } })),
    },
    { limits: { ...DEFAULT_PPROF_LIMITS, seriesMax: 3 } },
  );
  assert.equal(summary.labelSets, 5, 'base, three, overflow');
  assert.equal(contentOf(dataset)['test:samples:count::{overflow=true,}']!.f1, 7n);
  assert.equal(totalsOf(dataset)['test:samples:count::'], 10n);
});

test('labels over their limits are dropped', () => {
  const { dataset } = decodeText(
    {
      ...plainSymbols(1),
      samples: [
        {
          locations: [1],
          values: [1],
          labels: { long: 'x'.repeat(20), ['n'.repeat(20)]: 'y', a: '1', b: '2', c: '3' },
        },
      ],
    },
    {
      limits: {
        ...DEFAULT_PPROF_LIMITS,
        labelNameBytesMax: 10,
        labelValueBytesMax: 10,
        labelsPerSampleMax: 2,
      },
    },
  );
  assert.deepEqual(Object.keys(contentOf(dataset)), ['test:samples:count::{a=1,b=2,}']);
});

test('negative values are kept apart, with their sign turned', () => {
  const { dataset, summary } = decodeText({
    ...plainSymbols(2),
    sampleTypes: ['inuse_space/bytes'],
    samples: [
      { locations: [1], values: [100] },
      { locations: [2], values: [-30] },
      { locations: [1], values: [-(2n ** 40n)] },
    ],
  });
  assert.deepEqual(contentOf(dataset), {
    'test:inuse_space:bytes::{}': { f1: 100n },
    'test:inuse_space_negative:bytes::{}': { f2: 30n, f1: 2n ** 40n },
  });
  const [grown, shrunk] = summary.profileTypes;
  assert.equal(grown!.total - shrunk!.total, 70n - 2n ** 40n);
});

test('values of 2^53 and more stay exact through their common divisor', () => {
  const billion = 1_000_000_000n;
  const { dataset, summary } = decodeText({
    ...plainSymbols(2),
    sampleTypes: ['cpu/nanoseconds'],
    samples: [
      { locations: [1], values: [3_000_000_007n * billion] },
      { locations: [2], values: [5n * billion] },
      { locations: [1], values: [-(2n ** 63n)] },
    ],
  });
  assert.equal(summary.profileTypes[0]!.total, 3_000_000_012n * billion);
  assert.equal(summary.profileTypes[1]!.total, 2n ** 63n);
  assert.equal(totalsOf(dataset)['test:cpu:nanoseconds::'], 3_000_000_012n * billion);
  assert.equal(totalsOf(dataset)['test:cpu_negative:nanoseconds::'], 2n ** 63n);
});

test('sums that are not exact are refused, and nothing of the profile is kept', () => {
  const dataset = new DatasetBuilder('shop');
  const raw = pprofBytes({
    ...plainSymbols(1),
    sampleTypes: ['samples/count', 'cpu/nanoseconds'],
    samples: [
      { locations: [1], values: [1, 2n ** 53n - 1n] },
      { locations: [1], values: [1, 2n] },
      { locations: [], values: [1, 1n] },
    ],
  });
  assert.throws(
    () => addPprof(dataset, raw, OPTIONS),
    (error) => error instanceof RejectedError && /window_total_max/.test(error.message),
  );
  assert.deepEqual(contentOf(dataset), {});
});

test('times: what the profile says, unless it cannot be', () => {
  const startOf = (timeNanos: bigint | number) => decodeText({ timeNanos }).summary.start;
  assert.equal(startOf(1_600_000_000_123_456_789n), 1_600_000_000_123);
  assert.equal(startOf(0), NOW);
  assert.equal(startOf(1_600_000_000), NOW, 'seconds in a field of nanoseconds');
  assert.equal(startOf(2n ** 63n - 1n), NOW);
  assert.equal(startOf(-(2n ** 63n)), NOW);
  const durationOf = (durationNanos: bigint) => decodeText({ durationNanos }).summary.durationMs;
  assert.equal(durationOf(10_000_000_000n), 10_000);
  assert.equal(durationOf(0n), 1, 'a window is never empty');
  assert.equal(durationOf(-5n), 1);
  assert.equal(durationOf(2n ** 63n - 1n), 1);
  const { dataset, summary } = decodeText(
    { ...plainSymbols(1), samples: [{ locations: [1], values: [1] }] },
    { start: 5, durationMs: 7, batch: 3 },
  );
  const rows = dataset.types.get('test:samples:count::')!;
  assert.deepEqual([rows.start[0], rows.duration[0], rows.batch[0], summary.start], [5, 7, 3, 5]);
});

test('colons in sample types are not parts of the id, and two equal types are refused', () => {
  const { summary } = decodeText({ sampleTypes: ['samples/count', 'a:b/c:d'] });
  assert.deepEqual(
    summary.profileTypes.map(({ id }) => id),
    ['test:samples:count::', 'test:a_b:c_d::'],
  );
  assert.throws(() => decodeText({ sampleTypes: ['a/b', 'a/b'] }), RejectedError);
});

test('deep stacks keep their root side and say that they were cut', () => {
  const limits = { ...DEFAULT_PPROF_LIMITS, stackDepthMax: 4 };
  const stackOf = (locations: number[]) =>
    Object.keys(
      contentOfText({ ...plainSymbols(9), samples: [{ locations, values: [1] }] }, { limits })[TYPE]!,
    )[0];
  assert.equal(stackOf([4, 3, 2, 1]), 'f1;f2;f3;f4');
  assert.equal(stackOf([5, 4, 3, 2, 1]), 'f1;f2;f3;[truncated]!kind6');
  assert.equal(stackOf([9, 8, 7, 6, 5, 4, 3, 2, 1]), 'f1;f2;f3;[truncated]!kind6');
});

test('stacks of more ids than are kept end as their roots say, packed or one by one', () => {
  const locations = Array.from({ length: 40_000 }, (_, i) => (i % 9) + 1);
  for (const isUnpacked of [false, true]) {
    const content = contentOfText({ ...plainSymbols(9), isUnpacked, samples: [{ locations, values: [1] }] });
    const frames = Object.keys(content[TYPE]!)[0]!.split(';');
    assert.equal(frames.length, DEFAULT_PPROF_LIMITS.stackDepthMax);
    assert.deepEqual(frames.slice(0, 3), ['f4', 'f3', 'f2']);
    assert.equal(frames.at(-1), '[truncated]!kind6');
  }
});

test('long names keep their tail, cut between characters', () => {
  const limits = { ...DEFAULT_PPROF_LIMITS, stringBytesMax: 8 };
  const text: PprofText = {
    functions: [{ id: 1, name: 'aaaaaä/main.go' }],
    locations: [{ id: 1, lines: [[1]] }],
    samples: [{ locations: [1], values: [1] }],
  };
  assert.deepEqual(Object.keys(contentOfText(text, { limits })[TYPE]!), ['/main.go']);
  assert.deepEqual(Object.keys(contentOfText(text, { limits: { ...limits, stringBytesMax: 9 } })[TYPE]!), [
    '/main.go',
  ]);
});

test('limits are named with their value and what was seen', () => {
  const text: PprofText = {
    ...plainSymbols(3),
    sampleTypes: ['a/b', 'c/d', 'e/f'],
    mappings: [{ id: 1 }, { id: 2 }, { id: 3 }],
    samples: [
      { locations: [1, 2], values: [1, 1, 1] },
      { locations: [2, 1], values: [1, 1, 1] },
      { locations: [3], values: [1, 1, 1] },
    ],
  };
  const limited: [keyof PprofLimits, RegExp][] = [
    ['sampleTypesMax', /pprof_sample_types_max is 2 .* has 3/],
    ['samplesMax', /pprof_samples_max is 2 .* has 3/],
    ['stringsMax', /pprof_strings_max is 2 /],
    ['functionsMax', /pprof_functions_max is 2 .* has 3/],
    ['locationsMax', /pprof_locations_max is 2 .* has 3/],
    ['mappingsMax', /pprof_mappings_max is 2 .* has 3/],
    ['stackNodesMax', /pprof_stack_nodes_max is 2 /],
    ['framesMax', /pprof_frames_max is 2 /],
  ];
  for (const [name, message] of limited) {
    assert.throws(
      () => decodeText(text, { limits: { ...DEFAULT_PPROF_LIMITS, [name]: 2 } }),
      (error) =>
        error instanceof RejectedError && error.reason === 'too-large' && message.test(error.message),
      name,
    );
  }
});

test('unknown fields are skipped at every level', () => {
  const unknown = [...num(100, 5), ...len(101, 'future')];
  const raw = pprofBytes({
    before: unknown,
    after: [
      ...unknown,
      ...len(2, [...len(1, [7]), ...unknown, ...len(2, [9])]),
      ...len(4, [...unknown, ...num(1, 7), ...unknown, ...len(4, [...unknown, ...num(1, 8)])]),
      ...len(5, [...unknown, ...num(1, 8), ...num(2, 1), ...unknown]),
    ],
  });
  assert.deepEqual(contentOf(decode(raw).dataset), { [TYPE]: { samples: 9n } });
});

test('fields in another order, location ids in pieces', () => {
  const raw = pprofBytes({
    ...plainSymbols(3),
    after: [
      // Values before locations; locations as packed, single, packed.
      ...len(2, [...len(2, [4]), ...len(1, [3]), ...num(1, 2), ...len(1, [1])]),
      ...len(2, [...num(1, 3), ...num(1, 2), ...num(2, 1), ...num(1, 1)]),
      // A location with its id last.
      ...len(4, [...len(4, num(1, 1)), ...num(3, 5), ...num(1, 9)]),
      ...len(2, [...len(1, [9]), ...len(2, [8])]),
    ],
  });
  assert.deepEqual(contentOf(decode(raw).dataset), { [TYPE]: { 'f1;f2;f3': 5n, 'f1@5': 8n } });
});

test('a padded varint is the same id', () => {
  const raw = pprofBytes({
    ...plainSymbols(2),
    after: len(2, [...len(1, [0x82, 0x80, 0x80, 0x80, 0, 0x81, 0]), ...len(2, [1])]),
  });
  assert.deepEqual(contentOf(decode(raw).dataset), { [TYPE]: { 'f1;f2': 1n } });
});

test('profiles of one program merge into one dataset', () => {
  const text: PprofText = {
    ...plainSymbols(4),
    samples: [
      { locations: [3, 2, 1], values: [1] },
      { locations: [4], values: [2] },
    ],
  };
  const dataset = new DatasetBuilder('shop');
  for (let i = 0; i < 5; i++) addPprof(dataset, pprofBytes(text), { ...OPTIONS, start: i * 10 });
  assert.equal(dataset.symbols.stacks.count, 5);
  assert.equal(dataset.types.get('test:samples:count::')!.count, 5);
  assert.deepEqual(contentOf(dataset), { [TYPE]: { 'f1;f2;f3': 5n, f4: 10n } });
});

test('a decode that a callback starts does not disturb the one that called', () => {
  const inner = pprofBytes({ ...plainSymbols(2), samples: [{ locations: [2, 1], values: [1] }] });
  let decoded = 0;
  const content = contentOfText(
    { ...plainSymbols(3), samples: [{ locations: [3], values: [7] }] },
    {
      profileName: () => {
        decoded = decode(inner).dataset.symbols.stacks.count;
        return 'test';
      },
    },
  );
  assert.equal(decoded, 3);
  assert.deepEqual(content, { [TYPE]: { f3: 7n } });
});

const sampleOf = (...fields: number[][]) => ({ ...plainSymbols(2), after: len(2, fields.flat()) });
const broken: [string, PprofText, RegExp][] = [
  ['location id 0', { locations: [{ id: 0 }] }, /location has id 0/],
  ['location without id', { after: len(4, num(3, 1)) }, /location has id 0/],
  ['location id twice', { locations: [{ id: 5 }, { id: 5 }] }, /location id 5 is there twice/],
  ['large id twice', { locations: [{ id: 2n ** 60n }, { id: 2n ** 60n }] }, /is there twice/],
  ['function id twice', { functions: [{ id: 1 }, { id: 1 }] }, /function id 1 is there twice/],
  ['mapping id 0', { mappings: [{ id: 0 }] }, /mapping has id 0/],
  [
    'unknown location',
    { samples: [{ locations: [3], values: [1] }], ...plainSymbols(2) },
    /location id 3 is not there/,
  ],
  [
    'location 0 in a sample',
    { samples: [{ locations: [0], values: [1] }], ...plainSymbols(2) },
    /location id 0 is not there/,
  ],
  [
    'unknown function',
    { samples: [{ locations: [1], values: [1] }], locations: [{ id: 1, lines: [[9]] }] },
    /function id 9 is not there/,
  ],
  [
    'unknown mapping',
    { samples: [{ locations: [1], values: [1] }], locations: [{ id: 1, mapping: 9 }] },
    /mapping id 9 is not there/,
  ],
  [
    'too few values',
    { ...plainSymbols(1), sampleTypes: ['a/b', 'c/d'], samples: [{ locations: [1], values: [1] }] },
    /1 values, the profile has 2/,
  ],
  ['too many values', { ...plainSymbols(1), samples: [{ locations: [1], values: [1, 1] }] }, /more values/],
  ['no values', { ...plainSymbols(1), samples: [{ locations: [1], values: [] }] }, /0 values/],
  ['no sample types', { sampleTypes: [] }, /no sample_type/],
  [
    'string index beyond the table',
    {
      samples: [{ locations: [1], values: [1] }],
      locations: [{ id: 1, lines: [[1]] }],
      after: len(5, [...num(1, 1), ...num(2, 99)]),
    },
    /string index 99 is not below/,
  ],
  [
    'string index -1',
    {
      samples: [{ locations: [1], values: [1] }],
      locations: [{ id: 1, lines: [[1]] }],
      after: len(5, [...num(1, 1), ...num(2, -1)]),
    },
    /string index -1 is not below/,
  ],
  ['sample type index -1', { after: len(1, num(1, -1)) }, /negative/],
  ['sample type index beyond the table', { after: [...len(1, num(1, 77))] }, /string index 77/],
  ['label key -1', sampleOf(len(1, [1]), len(2, [1]), len(3, num(1, -1))), /label key -1/],
  [
    'label value beyond the table',
    sampleOf(len(1, [1]), len(2, [1]), len(3, [...num(1, 1), ...num(2, 99)])),
    /label value 99/,
  ],
  ['two profiles glued together', { timeNanos: 5, after: num(9, 6) }, /glued/],
  ['group', { after: [(15 << 3) | 3, (15 << 3) | 4] }, /not supported/],
  ['known field of another wire type', { after: num(2, 1) }, /wire type/],
  ['sample that passes the end', { after: [(2 << 3) | 2, 100, 1] }, /announces 100 bytes/],
  ['packed ids that pass their sample', sampleOf([(1 << 3) | 2, 50, 1]), /announces|passes the end/],
  [
    'an id that passes its packed field',
    sampleOf(len(1, [1, 0x81]), len(2, [1])),
    /passes the end|not there/,
  ],
  ['an id of eleven bytes', sampleOf(len(1, [...Array(10).fill(0x81), 1]), len(2, [1])), /more than 64 bits/],
  [
    'a value of eleven bytes',
    sampleOf(len(1, [1]), len(2, [...Array(10).fill(0x81), 1])),
    /more than 64 bits/,
  ],
];
for (const [name, text, message] of broken) {
  test(`refused: ${name}`, () => {
    assert.throws(
      () => decodeText(text),
      (error) =>
        error instanceof MalformedInputError && error.format === 'pprof' && message.test(error.message),
    );
  });
}

test('refused: an empty input, a table that does not start with ""', () => {
  assert.throws(() => decode(new Uint8Array()), MalformedInputError);
  assert.throws(() => decode(Uint8Array.from([...len(1, []), ...len(6, 'x')])), /string_table\[0\]/);
  assert.throws(() => decode(Uint8Array.from(len(1, []))), /string_table\[0\]/);
});
