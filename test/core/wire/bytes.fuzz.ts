import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MalformedInputError } from '../../../core/errors.ts';
import { ByteReader } from '../../../core/wire/byte-reader.ts';
import { ByteWriter } from '../../../core/wire/byte-writer.ts';
import { ProtoReader } from '../../../core/wire/proto-reader.ts';
import { fuzzOptions } from '../fuzz-options.ts';

// Laws: what ByteWriter writes, ByteReader reads back; whatever bytes a reader gets, it returns or throws
// MalformedInputError, and never passes its end.

const whole = fc.maxSafeNat();
const step = fc.oneof(
  fc.record({ kind: fc.constant('u8' as const), value: fc.nat(255) }),
  fc.record({ kind: fc.constant('u16' as const), value: fc.nat(65_535) }),
  fc.record({ kind: fc.constant('u32' as const), value: fc.nat(0xffff_ffff) }),
  fc.record({ kind: fc.constant('u64' as const), value: whole }),
  fc.record({ kind: fc.constant('varint' as const), value: whole }),
  fc.record({ kind: fc.constant('zigzag' as const), value: fc.integer({ min: -(2 ** 51), max: 2 ** 51 }) }),
);

test('what is written is read back', () => {
  fc.assert(
    fc.property(
      fc.array(step),
      fc.string({ unit: 'binary' }),
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      (steps, text, big) => {
        const writer = new ByteWriter(1);
        for (const { kind, value } of steps) writer[kind](value);
        writer.text(text.toWellFormed());
        writer.bigVarint(big);
        writer.varint64(Number(big & 0xffff_ffffn), Number(big >> 32n));
        const reader = new ByteReader(writer.finish(), 'test');
        for (const { kind, value } of steps) assert.equal(reader[kind](), value);
        assert.equal(reader.text(), text.toWellFormed());
        assert.equal(reader.bigVarint(), big);
        assert.equal(reader.bigVarint(), big);
        reader.expectEnd();
      },
    ),
    fuzzOptions(200),
  );
});

test('a reader never passes its end and throws nothing but MalformedInputError', () => {
  const calls = [
    'u8',
    'u16',
    'u32',
    'u64',
    'varint',
    'zigzag',
    'text',
    'bigVarint',
    'count',
    'expectEnd',
  ] as const;
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.array(fc.constantFrom(...calls)), (bytes, names) => {
      const end = Math.floor(bytes.length / 2);
      const reader = new ByteReader(bytes, 'test', 0, end);
      try {
        for (const name of names) reader[name]();
      } catch (error) {
        assert.ok(error instanceof MalformedInputError, String(error));
      }
      assert.ok(reader.offset <= end);
    }),
    fuzzOptions(500),
  );
});

test('walking any bytes as protobuf ends', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const reader = new ProtoReader(bytes, 'test', 0, Math.floor(bytes.length / 2));
      try {
        while (reader.at < reader.end) {
          const before = reader.at;
          reader.skipRest(reader.field());
          assert.ok(reader.at > before);
        }
        assert.equal(reader.at, reader.end);
      } catch (error) {
        assert.ok(error instanceof MalformedInputError, String(error));
      }
    }),
    fuzzOptions(1000),
  );
});
