import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ANY_NUMBER, readColumn, readParents } from '../../../core/block/number-column.ts';
import { MalformedInputError } from '../../../core/errors.ts';
import { ByteReader } from '../../../core/wire/byte-reader.ts';
import { ByteWriter } from '../../../core/wire/byte-writer.ts';
import { fuzzOptions } from '../fuzz-options.ts';

const number = fc.oneof(
  fc.integer({ min: 0, max: 300 }),
  fc.integer({ min: 0, max: 0xffff_ffff }),
  fc.constantFrom(127, 128, 16_383, 16_384, 2 ** 21, 2 ** 28, 2 ** 31, 0xffff_ffff),
);

function written(numbers: readonly number[]): Uint8Array {
  const out = new ByteWriter();
  for (const each of numbers) out.varint(each);
  return out.finish();
}

test('a column is read as it was written, and nothing behind it', () => {
  fc.assert(
    fc.property(fc.array(number), fc.integer({ min: 1, max: 4 }), (numbers, step) => {
      const input = new ByteReader(written([...numbers, 7]), 'test');
      const column = new Uint32Array(numbers.length * step);
      readColumn(input, column, 0, step, ANY_NUMBER);
      assert.deepEqual(
        Array.from(numbers, (_, i) => column[i * step]),
        numbers,
      );
      assert.equal(input.varint(), 7);
    }),
    fuzzOptions(300),
  );
});

test('a column that ends early, or holds what it must not, is refused', () => {
  fc.assert(
    fc.property(fc.array(number, { minLength: 1 }), fc.nat(), (numbers, at) => {
      const bytes = written(numbers);
      const column = new Uint32Array(numbers.length);
      const cut = new ByteReader(bytes.subarray(0, at % bytes.length), 'test');
      assert.throws(() => readColumn(cut, column, 0, 1, ANY_NUMBER), MalformedInputError);
      const limit = Math.max(...numbers);
      const whole = new ByteReader(bytes, 'test');
      assert.throws(() => readColumn(whole, column, 0, 1, { what: 'thing', limit }), /thing \d+, there are/);
    }),
    fuzzOptions(300),
  );
  const tooLarge = new ByteReader(written([2 ** 32]), 'test');
  assert.throws(() => readColumn(tooLarge, new Uint32Array(1), 0, 1, ANY_NUMBER), MalformedInputError);
  const endless = new ByteReader(new Uint8Array(20).fill(255), 'test');
  assert.throws(() => readColumn(endless, new Uint32Array(1), 0, 1, ANY_NUMBER), MalformedInputError);
});

test('parents come before their children, or are refused', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 40 }), { minLength: 1 }), (distances) => {
      const parents = new Uint32Array(distances.length + 1);
      const read = () => readParents(new ByteReader(written(distances), 'test'), parents);
      if (distances.some((distance, i) => distance > i)) return assert.throws(read, /has a parent/);
      read();
      assert.deepEqual([...parents], [0, ...distances.map((distance, i) => i - distance)]);
    }),
    fuzzOptions(300),
  );
});
