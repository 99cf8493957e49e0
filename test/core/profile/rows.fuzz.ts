import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RejectedError } from '../../../core/errors.ts';
import { DatasetBuilder } from '../../../core/profile/dataset-builder.ts';
import { EntryAccumulator, greatestCommonDivisor } from '../../../core/profile/entry-accumulator.ts';
import { exactTotal, ProfileRowsBuilder, sampleCount } from '../../../core/profile/profile-rows.ts';
import { fuzzOptions } from '../fuzz-options.ts';

// Laws: a row is the exact sum of what was added per stack, ascending, divided by the greatest common divisor; adding a
// dataset to another conserves every total and every count of samples.

const value = fc.oneof(
  fc.integer({ min: 0, max: 9 }),
  fc.integer({ min: 0, max: 2 ** 40 }),
  fc.integer({ min: 0, max: 900 }).map((n) => n * 10_000_000),
);
const entries = fc.array(fc.tuple(fc.integer({ min: 0, max: 60 }), value), { maxLength: 80 });

test('the accumulator is a map of sums', () => {
  const accumulator = new EntryAccumulator();
  fc.assert(
    fc.property(entries, (added) => {
      const model = new Map<number, bigint>();
      accumulator.begin(61);
      for (const [stack, amount] of added) {
        accumulator.add(stack, amount);
        if (amount > 0) model.set(stack, (model.get(stack) ?? 0n) + BigInt(amount));
      }
      accumulator.finish();
      const { stacks, values, length, scale, total } = accumulator;
      const found = Array.from({ length }, (_, i): [number, bigint] => [
        stacks[i]!,
        BigInt(values[i]!) * BigInt(scale),
      ]);
      assert.deepEqual(
        found,
        [...model].sort(([a], [b]) => a - b),
      );
      assert.equal(
        BigInt(total) * BigInt(scale),
        [...model.values()].reduce((sum, each) => sum + each, 0n),
      );
      const divisor = found.reduce((all, [, each]) => greatestCommonDivisor(Number(each), all), 0);
      assert.equal(scale, divisor === 0 ? 1 : divisor);
    }),
    fuzzOptions(500),
  );
});

test('long rows come out sorted, whatever the size of their numbers', () => {
  const accumulator = new EntryAccumulator();
  const stack = fc.oneof(fc.nat(300), fc.nat(3_000), fc.nat(5_000_000));
  fc.assert(
    fc.property(fc.array(stack, { minLength: 250, maxLength: 700 }), (stacks) => {
      accumulator.begin(5_000_001);
      for (const each of stacks) accumulator.add(each, 1);
      accumulator.finish();
      const distinct = [...new Set(stacks)].sort((a, b) => a - b);
      assert.deepEqual([...accumulator.stacks.subarray(0, accumulator.length)], distinct);
    }),
    fuzzOptions(100),
  );
});

test('the greatest common divisor is that of Euclid', () => {
  const model = (a: bigint, b: bigint): bigint => (b === 0n ? a : model(b, a % b));
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.maxSafeNat(), fc.integer({ min: 1, max: 1000 }), (a, b, factor) => {
      for (const [x, y] of [
        [a, b],
        [Math.floor(a / factor) * factor, factor],
        [a, 0],
        [0, b],
        [a % 5000, b % 5000],
      ] as const)
        assert.equal(BigInt(greatestCommonDivisor(x, y)), model(BigInt(x), BigInt(y)));
    }),
    fuzzOptions(500),
  );
});

test('a window whose sum passes 2^53 − 1 is refused', () => {
  const accumulator = new EntryAccumulator();
  accumulator.begin(3);
  accumulator.add(1, Number.MAX_SAFE_INTEGER);
  accumulator.add(2, 1);
  assert.throws(() => accumulator.finish(), RejectedError);
  accumulator.begin(3);
  accumulator.add(1, 5);
  accumulator.finish();
  assert.deepEqual([accumulator.length, accumulator.total], [1, 1], 'and the next row starts empty');
});

test('adding a dataset conserves totals, samples and labels', () => {
  const row = fc.record({
    type: fc.constantFrom('a', 'b'),
    pod: fc.constantFrom('p', 'q', ''),
    start: fc.nat(3),
    entries,
  });
  fc.assert(
    fc.property(fc.array(fc.array(row, { maxLength: 6 }), { maxLength: 3 }), (sources) => {
      const merged = new DatasetBuilder('shop');
      const totals: Record<string, bigint> = {};
      let samples = 0;
      for (const [batch, rows] of sources.entries()) {
        const dataset = new DatasetBuilder('shop');
        for (const { type, pod, start, entries: added } of rows) {
          const series = dataset.series.intern(pod === '' ? [] : [['pod', pod]]);
          const stack = Int32Array.of(1 + (batch % 2), 2);
          for (let i = 0; i <= 60; i++) dataset.symbols.stacks.addPath(Int32Array.of(...stack, i + 1), 3);
          dataset.entries.begin(dataset.symbols.stacks.count);
          for (const [at, amount] of added) dataset.entries.add(at, amount);
          const isKept = added.some(([, amount]) => amount > 0);
          dataset.addAccumulated(type, { series, start, duration: 1, batch: 0, samples: added.length });
          if (isKept) samples += added.length;
          totals[type] = (totals[type] ?? 0n) + added.reduce((sum, [, amount]) => sum + BigInt(amount), 0n);
        }
        merged.addDataset(dataset, Uint32Array.of(batch));
      }
      let found = 0;
      for (const [type, rows] of merged.types) {
        assert.equal(exactTotal(rows), totals[type]);
        found += sampleCount(rows);
        for (let r = 0; r < rows.count; r++) {
          for (let i = rows.entryStarts[r]! + 1; i < rows.entryStarts[r + 1]!; i++)
            assert.ok(rows.stacks[i - 1]! < rows.stacks[i]!);
        }
      }
      assert.equal(found, samples);
    }),
    fuzzOptions(100),
  );
});

test('rows keep their values, whichever of them is the first that passes 32 bits', () => {
  const values = fc.array(fc.oneof(fc.nat(9), fc.constantFrom(2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1)), {
    maxLength: 5,
  });
  fc.assert(
    fc.property(fc.array(values, { maxLength: 200 }), (added) => {
      const rows = new ProfileRowsBuilder();
      const head = { series: 0, start: 0, duration: 1, batch: 0, samples: 1 };
      for (const ofRow of added)
        rows.add(head, 1, 1, Uint32Array.from(ofRow.keys()), Float64Array.from(ofRow), ofRow.length);
      assert.deepEqual([...rows.values.subarray(0, rows.entryCount)], added.flat());
    }),
    fuzzOptions(300),
  );
});
