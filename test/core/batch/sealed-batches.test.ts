import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SealedBatches, SealedBatchesBuilder } from '../../../core/batch/sealed-batches.ts';
import { MalformedInputError } from '../../../core/errors.ts';
import { ByteWriter } from '../../../core/wire/byte-writer.ts';
import { codec } from '../block/fixtures.ts';

const TABLE = [
  'c/n/b/7',
  'c/n/b/0',
  'c/n/b/8',
  'c/n/b/1',
  'c/sealed',
  '01FAMILY',
  '~partial',
  'd/n/b/3',
  'a/b/c',
];
const EMPTY = new SealedBatches(new Map()).encode(codec);

const all = (table: readonly string[]) => new Uint8Array(table.length).fill(1);

function sealed(...parts: [service: string, table: readonly string[]][]): SealedBatches {
  const builder = new SealedBatchesBuilder();
  for (const [service, table] of parts) builder.add(service, table, all(table));
  return builder.finish();
}

test('it knows the batches that rows refer to, by service, and nothing else of their tables', () => {
  const builder = new SealedBatchesBuilder();
  builder.add('shop', TABLE, all(TABLE));
  builder.add(
    'cart',
    TABLE,
    Uint8Array.from(TABLE, (id) => (id.startsWith('c/n') ? 1 : 0)),
  );
  builder.add('cart', ['c/n/b/2', 'c/n/b/5'], Uint8Array.of(1, 0));
  const known = builder.finish();
  for (const id of ['c/n/b/0', 'c/n/b/1', 'c/n/b/7', 'c/n/b/8'])
    assert.deepEqual(known.servicesOf(id), new Set(['shop', 'cart']), id);
  for (const id of ['d/n/b/3', 'a/b/c']) assert.deepEqual(known.servicesOf(id), new Set(['shop']), id);
  assert.deepEqual(known.servicesOf('c/n/b/2'), new Set(['cart']));
  const unknown = ['c/n/b/3', 'c/n/b/5', 'c/n/b/6', 'c/n/b/9', 'd/n/b/2', 'd/n/b/4', 'c/n/x/1', 'a/b/d'];
  for (const id of [...unknown, 'c/sealed', '01FAMILY', '~partial', ''])
    assert.equal(known.servicesOf(id), undefined, id);
});

test('what is read is what was written, and the order of tables plays no part', () => {
  const bytes = sealed(['shop', TABLE], ['cart', TABLE]).encode(codec);
  const turned = [...TABLE].reverse();
  assert.deepEqual(sealed(['cart', turned], ['shop', turned], ['cart', TABLE]).encode(codec), bytes);
  const read = SealedBatches.decode(bytes, codec);
  for (const id of TABLE) {
    const services = id.split('/').length > 2 ? new Set(['cart', 'shop']) : undefined;
    assert.deepEqual(read.servicesOf(id), services, id);
  }
  assert.deepEqual(read.encode(codec), bytes);
  assert.equal(SealedBatches.decode(EMPTY, codec).servicesOf('c/n/b/0'), undefined);
});

test('a day of a thousand nodes that flush every minute takes some tens of KB', () => {
  const builder = new SealedBatchesBuilder();
  const boots = Array.from({ length: 1000 }, (_, node) => {
    const boot = Math.imul(node + 1, 0x9e3779b9) >>> 0;
    const name = `prod-eu-1/ip-10-0-${node >> 8}-${node & 255}.eu-central-1.compute.internal/${boot.toString(36)}`;
    return { name, first: boot % 100_000 };
  });
  for (const { name, first } of boots) {
    const table = [`${name}/${first}-${first + 1439}`];
    for (let service = 0; service < 20; service++)
      builder.add(`service-${(service * 7 + first) % 50}`, table, all(table));
  }
  const bytes = builder.finish().encode(codec);
  assert.ok(bytes.length < 40_000, `${bytes.length} bytes`);
  const read = SealedBatches.decode(bytes, codec);
  for (const { name, first } of boots) {
    const sizes = [first - 1, first, first + 1439, first + 1440].map(
      (i) => read.servicesOf(`${name}/${i}`)?.size,
    );
    assert.deepEqual(sizes, [undefined, 20, 20, undefined]);
  }
});

/** An object around raw content of whatever kind. */
function wrapped(write: (out: ByteWriter) => void): Uint8Array {
  const raw = new ByteWriter();
  write(raw);
  const packed = codec.compress(raw.view());
  const out = new ByteWriter();
  out.bytes(EMPTY.subarray(0, 8));
  out.u32(raw.length);
  out.u32(codec.crc32(packed));
  out.bytes(packed);
  return out.finish();
}

/** Numbers and texts as they follow one another. */
function raw(...parts: (number | string)[]): Uint8Array {
  return wrapped((out) => {
    for (const part of parts) {
      if (typeof part === 'string') out.text(part);
      else out.varint(part);
    }
  });
}

test('what no writer writes is refused', () => {
  const sound = SealedBatches.decode(raw(1, 's', 1, 'c/n/b', 1, 0, 1, 1, 1), codec);
  const known = [0, 1, 2].map((number) => sound.servicesOf(`c/n/b/${number}`));
  assert.deepEqual(known, [new Set(['s']), new Set(['s']), undefined]);
  const broken = {
    'a boot without a service': raw(1, 's', 1, 'c/n/b', 0, 0, 0, 0),
    'a service without a range': raw(1, 's', 1, 'c/n/b', 1, 0, 0, 0, 0),
    'a service that is not there': raw(1, 's', 1, 'c/n/b', 1, 1, 1, 1, 0),
    'ranges that touch': raw(1, 's', 1, 'c/n/b', 1, 0, 2, 1, 0, 0, 0),
    'a boot twice': raw(1, 's', 2, 'c/n/b', 1, 0, 1, 1, 0, 'c/n/b', 1, 0, 1, 9, 0),
    'boots out of order': raw(1, 's', 2, 'c/n/c', 1, 0, 1, 1, 0, 'c/n/b', 1, 0, 1, 1, 0),
    'more ranges than bytes': raw(1, 's', 1, 'c/n/b', 1, 0, 1000, 1, 0),
    'more boots than bytes': raw(0, 1000),
    'more services than bytes': raw(1000),
    'a range past 2^53': raw(1, 's', 1, 'c/n/b', 1, 0, 1, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
    'a service twice': raw(2, 's', 's', 0),
    'bytes behind the end': raw(0, 0, 0),
  };
  for (const [what, bytes] of Object.entries(broken))
    assert.throws(() => SealedBatches.decode(bytes, codec), MalformedInputError, what);
});
