import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { encodePprof, type PprofContent } from '../../../core/pprof/encode-pprof.ts';
import { SymbolTable } from '../../../core/profile/symbol-table.ts';
import { decode } from './decoded.ts';
import { plainSymbols, pprofBytes } from './pprof-bytes.ts';

// What was written is read by another decoder (npm pprof-format) here; encode-pprof.fuzz.ts reads it by our own.
const { Profile } = createRequire(import.meta.url)('pprof-format') as typeof import('pprof-format');

const content = (parts: Partial<PprofContent>): PprofContent => ({
  symbols: new SymbolTable(),
  sampleTypes: [{ type: 'samples', unit: 'count' }],
  values: [new Float64Array()],
  scale: [1],
  timeNanos: 0n,
  durationNanos: 0n,
  ...parts,
});

function peerDecode(parts: Partial<PprofContent>) {
  const profile = Profile.decode(encodePprof(content(parts)));
  const text = (index: number | bigint) => profile.stringTable.strings[Number(index)]!;
  return { profile, text };
}

test('header fields', () => {
  const { profile, text } = peerDecode({
    sampleTypes: [{ type: 'cpu', unit: 'nanoseconds' }],
    periodType: { type: 'cpu', unit: 'nanoseconds' },
    period: 52_631_579,
    timeNanos: 1_700_000_000_123_456_789n,
    durationNanos: 10_000_000_000n,
  });
  assert.equal(text(profile.sampleType[0]!.type), 'cpu');
  assert.equal(text(profile.sampleType[0]!.unit), 'nanoseconds');
  assert.equal(text(profile.periodType!.unit), 'nanoseconds');
  assert.equal(Number(profile.period), 52_631_579);
  assert.equal(BigInt(profile.timeNanos), 1_700_000_000_123_456_789n);
  assert.equal(BigInt(profile.durationNanos), 10_000_000_000n);
  assert.equal(text(0), '');
});

test('only what stacks with a value reach is written', () => {
  const { dataset } = decode(
    pprofBytes({
      ...plainSymbols(4),
      samples: [
        { locations: [2, 1], values: [5] },
        { locations: [4, 3], values: [7] },
      ],
    }),
  );
  const values = new Float64Array(dataset.symbols.stacks.count);
  const rows = dataset.types.get('test:samples:count::')!;
  values[rows.stacks[0]!] = 5;
  const { profile, text } = peerDecode({ symbols: dataset.symbols, values: [values] });
  assert.deepEqual(profile.function.map(({ name }) => text(name)).sort(), ['f1', 'f2']);
  assert.equal(profile.location.length, 2);
  assert.equal(profile.sample.length, 1);
  assert.ok(!profile.stringTable.strings.includes('f3'));
});

test('runs of inlined frames become one location, innermost line first', () => {
  const { dataset } = decode(
    pprofBytes({
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
            [3, 30, 4],
            [2, 20],
          ],
          address: 0x99,
          isFolded: true,
        },
      ],
      samples: [{ locations: [2, 1, 2], values: [1] }],
    }),
  );
  const values = new Float64Array(dataset.symbols.stacks.count);
  values[values.length - 1] = 1;
  const { profile, text } = peerDecode({ symbols: dataset.symbols, values: [values] });
  assert.equal(profile.location.length, 2, 'the run comes twice and is one location');
  const run = profile.location.find(({ line }) => line.length === 2)!;
  const names = run.line.map(({ functionId, line }) => [
    text(profile.function.find(({ id }) => id === functionId)!.name),
    Number(line),
  ]);
  assert.deepEqual(names, [
    ['check', 30],
    ['serve', 20],
  ]);
  assert.equal(Number(run.address), 0x99);
  assert.equal(profile.sample[0]!.locationId.length, 3);
  assert.equal(profile.sample[0]!.locationId[0], profile.sample[0]!.locationId[2]);
});

test('values are written times their scale, exactly up to int64, and saturate beyond', () => {
  const { dataset } = decode(
    pprofBytes({ ...plainSymbols(3), samples: [1, 2, 3].map((id) => ({ locations: [id], values: [1] })) }),
  );
  const values = Float64Array.of(0, 3, 2 ** 53 - 1, 2 ** 53 - 1);
  const { profile, text } = peerDecode({
    symbols: dataset.symbols,
    sampleTypes: [
      { type: 'a', unit: 'b' },
      { type: 'c', unit: 'd' },
    ],
    values: [values, Float64Array.of(0, 0, 0, 9)],
    scale: [1001, 2 ** 60],
  });
  const written = profile.sample.map(({ value }) => value.map(BigInt));
  assert.deepEqual(written, [
    [3003n, 0n],
    [(2n ** 53n - 1n) * 1001n, 0n],
    [(2n ** 53n - 1n) * 1001n, 2n ** 63n - 1n],
  ]);
  assert.match(text(profile.comment[0]!), /1 values passed int64/);
});

test('a value of no stack at all is a sample without locations', () => {
  const { profile } = peerDecode({ values: [Float64Array.of(5)] });
  assert.deepEqual(profile.sample[0]!.locationId, []);
  assert.equal(Number(profile.sample[0]!.value[0]), 5);
});

test('names that are not UTF-8 are written as UTF-8, so that strict readers take the profile', () => {
  const raw = pprofBytes({
    functions: [{ id: 1, name: 'bad?name' }],
    locations: [{ id: 1, lines: [[1]] }],
    samples: [{ locations: [1], values: [1] }],
  });
  raw[raw.indexOf('?'.charCodeAt(0))] = 0xff;
  const { dataset } = decode(raw);
  const encoded = encodePprof(content({ symbols: dataset.symbols, values: [Float64Array.of(0, 1)] }));
  assert.ok(!encoded.includes(0xff));
  assert.ok(new TextDecoder().decode(encoded).includes('bad\ufffdname'));
});
