// Laws of sealed batches, on random tables:
//   servicesOf(id) is exactly the services that the batch was added for
//   encode(decode(x)) = x, byte by byte
//   damaged bytes are a MalformedInputError and nothing else

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SealedBatches, SealedBatchesBuilder } from '../../../core/batch/sealed-batches.ts';
import { MalformedInputError } from '../../../core/errors.ts';
import { codec, property } from '../block/fixtures.ts';

const SERVICES = ['shop', 'cart', 'λ', ''];

function randomIds(random: () => number): string[] {
  const ids: string[] = [];
  for (let boot = Math.floor(random() * 5); boot > 0; boot--) {
    const name = `c${Math.floor(random() * 2)}/n${Math.floor(random() * 3)}/b${boot}`;
    const from = Math.floor(random() * (random() < 0.2 ? 2 ** 45 : 300));
    for (let i = Math.floor(random() * 30); i > 0; i--)
      ids.push(`${name}/${from + Math.floor(random() * 40)}`);
  }
  return ids;
}

/** Some blocks, and which services' rows of which batch were in them. */
function randomSealed(random: () => number): { sealed: SealedBatches; known: Map<string, Set<string>> } {
  const builder = new SealedBatchesBuilder();
  const known = new Map<string, Set<string>>();
  for (let block = Math.floor(random() * 4); block > 0; block--) {
    const table = randomIds(random);
    for (const service of SERVICES) {
      const used = Uint8Array.from(table, () => (random() < 0.7 ? 1 : 0));
      builder.add(service, table, used);
      for (const [place, id] of table.entries())
        if (used[place] === 1) known.set(id, (known.get(id) ?? new Set()).add(service));
    }
  }
  return { sealed: builder.finish(), known };
}

test('sealed batches know what they were made of, and survive being stored', () =>
  property('sealed batches', (random) => {
    const { sealed, known } = randomSealed(random);
    const bytes = sealed.encode(codec);
    const read = SealedBatches.decode(bytes, codec);
    assert.deepEqual(read.encode(codec), bytes);
    for (const id of [...known.keys(), ...randomIds(random)])
      for (const one of [sealed, read]) assert.deepEqual(one.servicesOf(id), known.get(id), id);
  }));

test('damaged bytes are malformed, and nothing else', () =>
  property('damaged sealed batches', (random) => {
    const bytes = randomSealed(random).sealed.encode(codec);
    const isCut = random() < 0.3;
    const damaged = bytes.slice(0, isCut ? Math.floor(random() * bytes.length) : bytes.length);
    if (!isCut) damaged[Math.floor(random() * damaged.length)]! ^= 1 << Math.floor(random() * 8);
    assert.throws(() => SealedBatches.decode(damaged, codec), MalformedInputError);
  }));

test('whatever unfolds is malformed, or sealed batches that can be stored again', () =>
  property('hostile sealed batches', (random) => {
    const raw = Uint8Array.from({ length: Math.floor(random() * 40) }, () =>
      random() < 0.6 ? Math.floor(random() * 4) : Math.floor(random() * 256),
    );
    const packed = codec.compress(raw);
    const bytes = new Uint8Array(16 + packed.length);
    bytes.set(new SealedBatches(new Map()).encode(codec).subarray(0, 8));
    const view = new DataView(bytes.buffer);
    view.setUint32(8, raw.length, true);
    view.setUint32(12, codec.crc32(packed), true);
    bytes.set(packed, 16);
    try {
      const again = SealedBatches.decode(bytes, codec).encode(codec);
      assert.deepEqual(SealedBatches.decode(again, codec).encode(codec), again);
    } catch (error) {
      assert.ok(error instanceof MalformedInputError, (error as Error).stack);
    }
  }));
