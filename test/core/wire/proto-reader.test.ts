import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MalformedInputError } from '../../../core/errors.ts';
import { ProtoReader } from '../../../core/wire/proto-reader.ts';
import {
  afterVarint,
  readShortVarints,
  SHORT_VARINT_MAX,
  shortVarint,
} from '../../../core/wire/short-varint.ts';
import { bytesOf, fixed64, len, num, varint } from './proto-bytes.ts';

const readerOf = (...parts: number[][]) => new ProtoReader(bytesOf(...parts), 'test');
const refuses = (read: () => unknown, message: RegExp) =>
  assert.throws(read, (error) => error instanceof MalformedInputError && message.test(error.message));

test('varints of every length come back as halves', () => {
  for (let bits = 0; bits < 64; bits++) {
    for (const value of [(1n << BigInt(bits)) - 1n, 1n << BigInt(bits), (1n << BigInt(bits)) + 1n]) {
      const reader = readerOf(varint(value));
      reader.varint();
      assert.equal((BigInt(reader.high) << 32n) | BigInt(reader.low), value, String(value));
      assert.equal(reader.at, reader.end);
    }
  }
});

test('signed reads two halves as int64', () => {
  for (const value of [0n, -1n, 2n ** 63n - 1n, -(2n ** 63n), -(2n ** 53n), 7n]) {
    const reader = readerOf(varint(value));
    reader.varint();
    assert.equal(reader.signed(), value);
  }
});

test('a varint ends within ten bytes and 64 bits', () => {
  refuses(() => readerOf([...Array(10).fill(0xff), 1]).varint(), /more than 64 bits/);
  refuses(() => readerOf([...Array(9).fill(0xff), 2]).varint(), /more than 64 bits/);
  refuses(() => readerOf([0x80]).varint(), /ends inside a number/);
  refuses(() => readerOf([]).varint(), /ends inside a number/);
  refuses(() => readerOf([0x80, 0x80]).varint(), /ends inside a number/);
});

test('uint takes [0, 2^53) only', () => {
  assert.equal(readerOf(varint(2n ** 53n - 1n)).uint(), Number.MAX_SAFE_INTEGER);
  refuses(() => readerOf(varint(2n ** 53n)).uint(), /passes 2\^53/);
  refuses(() => readerOf(varint(-1)).uint(), /negative/);
});

test('field reads a tag and its number at once, whatever the length of either', () => {
  for (const field of [1, 15, 16, 2047, 2 ** 28]) {
    for (const value of [0n, 127n, 128n, 16_384n, 2n ** 21n, 2n ** 63n, 2n ** 64n - 1n]) {
      const reader = readerOf(varint(BigInt(field) << 3n), varint(value), [1, 2, 3, 4]);
      assert.equal(reader.field() >>> 3, field);
      assert.equal((BigInt(reader.high) << 32n) | BigInt(reader.low), value);
      assert.equal(reader.end - reader.at, 4);
    }
  }
  const reader = readerOf(len(3, 'abc'));
  assert.equal(reader.field(), (3 << 3) | 2);
  assert.equal(new TextDecoder().decode(reader.view()), 'abc');
});

test('unknown fields are stepped over, groups are not', () => {
  const reader = readerOf(num(1, 300), len(2, 'abc'), fixed64(3, 5), [(4 << 3) | 5, 1, 2, 3, 4]);
  while (reader.at < reader.end) reader.skip(reader.tag());
  assert.equal(reader.at, reader.end);
  for (const wireType of [3, 4, 6, 7])
    refuses(() => readerOf([(1 << 3) | wireType, 0]).skip((1 << 3) | wireType), /not supported/);
});

test('lengths stay inside the bytes', () => {
  refuses(() => readerOf(varint(5), [1, 2, 3, 4]).enter(), /announces 5 bytes, has 4/);
  refuses(() => readerOf(varint(2n ** 52n)).enter(), /announces/);
  refuses(() => readerOf(varint(-1)).enter(), /negative/);
  refuses(() => readerOf([1, 2, 3, 4, 5, 6, 7]).skip((1 << 3) | 1), /ends inside/);
  refuses(() => readerOf([1, 2, 3]).skip((1 << 3) | 5), /ends inside/);
});

test('field number 0 and tags beyond 32 bits are refused', () => {
  refuses(() => readerOf([0, 1]).tag(), /field number/);
  refuses(() => readerOf([7]).tag(), /field number/);
  refuses(() => readerOf(varint(2n ** 40n)).tag(), /field number/);
});

test('a reader over a part does not look behind its end', () => {
  const bytes = bytesOf([0x80, 0x01, 0x05]);
  refuses(() => new ProtoReader(bytes, 'test', 0, 1).varint(), /ends inside/);
  refuses(() => new ProtoReader(bytes, 'test', 2, 2).varint(), /ends inside/);
  refuses(() => new ProtoReader(bytes, 'test', 2, 2).uint(), /ends inside/);
});

test('short varints give value and length, and leave longer ones to others', () => {
  for (const value of [0, 1, 127, 128, 16_383, 16_384, 2 ** 21 - 1]) {
    const bytes = bytesOf(varint(value));
    const short = shortVarint(bytes, 0);
    assert.equal(short >>> 2, value);
    assert.equal(short & 3, bytes.length);
    assert.equal(afterVarint(bytes, 0), bytes.length);
  }
  assert.equal(shortVarint(bytesOf(varint(2 ** 21)), 0), 0);
  assert.equal(shortVarint(bytesOf([0x80]), 0), 0);
  assert.equal(shortVarint(bytesOf([]), 0), 0);
});

test('short varints in bulk, and none when one is long or cut off', () => {
  const values = [0, 1, 127, 128, 16_383, 16_384, 2 ** 21 - 1, 2 ** 21, SHORT_VARINT_MAX, 5];
  const bytes = bytesOf([...values.flatMap((value) => [...varint(value)]), 0x80]);
  const into = new Int32Array(bytes.length + 3);
  assert.equal(readShortVarints(bytes, 0, bytes.length - 1, into, 3), 3 + values.length);
  assert.deepEqual([...into.subarray(3, 3 + values.length)], values);
  assert.equal(readShortVarints(bytes, 0, bytes.length, into, 0), -1);
  assert.equal(readShortVarints(bytes, 0, 0, into, 3), 3);
  for (const long of [SHORT_VARINT_MAX + 1, 2 ** 35 - 1, 2 ** 35, 2 ** 63]) {
    const mixed = bytesOf([...varint(1), ...varint(BigInt(long)), ...varint(1)]);
    assert.equal(readShortVarints(mixed, 0, mixed.length, into, 0), -1);
  }
});
