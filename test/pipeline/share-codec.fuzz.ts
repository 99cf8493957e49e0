// Shares and their sums come back as they went out; whatever else arrives is refused as malformed, and nothing is
// allocated for what it only promises. Damage is done to the content, under a checksum that fits.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MalformedInputError, RejectedError } from '../../core/errors.ts';
import { MESSAGE_BYTES_MAX, packMessage, unpackMessage } from '../../pipeline/packed-message.ts';
import type { QueryShare, ShareSum } from '../../pipeline/query-workers.ts';
import { decodeShare, encodeShare } from '../../pipeline/share-codec.ts';
import { decodeShareSum, encodeShareSum } from '../../pipeline/share-sum-codec.ts';
import { slimRow } from '../../pipeline/slim-row.ts';
import { aBlockRow } from '../contracts/block-catalog.contract.ts';
import { CPU, codec, property, SEED } from '../core/block/fixtures.ts';

const SHARE = { magic: 0x48534243, name: 'query share' };
const SUM = { magic: 0x4d534243, name: 'share sum' };
const START = 1_700_006_400_000;

type Random = () => number;
const below = (random: Random, limit: number) => Math.floor(random() * limit);
const listOf = <T>(random: Random, most: number, make: (i: number) => T): T[] =>
  Array.from({ length: below(random, most + 1) }, (_, i) => make(i));
const span = (random: Random) => {
  const start = START + below(random, 1e9) - 5e8;
  return { start, end: start + 1 + below(random, 1e8) };
};

function randomShare(random: Random): QueryShare {
  const shared = new Set(listOf(random, 3, (i) => `c/node-λ/boot/${i}`));
  const blocks = listOf(random, 5, (i) => {
    const services = new Set(listOf(random, 3, (k) => ['shop', '', 'cart λ'][k]!));
    const ids = listOf(random, 9, (k) => `${['c', 'd'][k % 2]}/node-λ/boot/${k}`);
    const whole = aBlockRow({
      ...{ blockId: `01J${i}`, tenant: 'acme', level: below(random, 3), size: 1e6 + below(random, 1e9) },
      ...{
        minTime: START + below(random, 1e6),
        maxTime: START + 2e6,
        resolutionSeconds: below(random, 2) * 300,
      },
      batchIds: [...ids, '~partial', '01FAMILY'],
      datasets: [],
    });
    const row = slimRow(whole, services, random() < 0.5);
    return { row, services, spans: listOf(random, 3, () => span(random)), except: new Set(ids.slice(2)) };
  });
  return {
    detail: random() < 0.5 ? 'names' : 'symbols',
    matchers: listOf(random, 3, (i) => ({
      name: `l${i}`,
      op: (['=', '!=', '=~', '!~'] as const)[i]!,
      value: 'a|λ',
    })),
    profileType: CPU,
    blocks,
    shared,
    tombstones: listOf(random, 2, (i) => ({
      ...{ id: `d${i}`, selector: '{pod="p1"}', createdAt: START, reason: '' },
      ...span(random),
    })),
    scale: 1 + below(random, 1e7),
  };
}

function randomSum(random: Random): ShareSum {
  let last = START;
  const covered = listOf(random, 5, () => {
    const start = last + 1 + below(random, 1e6);
    last = start + 1 + below(random, 1e6);
    return { start, end: last };
  });
  return {
    symbols: Uint8Array.from({ length: below(random, 60) }, () => below(random, 256)),
    values: Float64Array.from({ length: below(random, 60) }, () =>
      random() < 0.3 ? 0 : below(random, 2 ** 52),
    ),
    total: BigInt(below(random, 2 ** 53)) ** 2n,
    covered,
    reading: {
      ...{ complete: random() < 0.5, bytesRead: below(random, 2 ** 40), samples: below(random, 2 ** 40) },
      ...{ missingBlocks: below(random, 3), corruptBlocks: below(random, 3) },
      notes: listOf(random, 2, () => 'block 01J: λ is damaged'),
    },
  };
}

/** Some bytes changed, cut off, or put in; or all at random. */
function damaged(raw: Uint8Array, random: Random): Uint8Array {
  const bytes = [...raw];
  for (let i = 1 + below(random, 4); i > 0; i--) {
    const at = below(random, bytes.length + 1);
    const kind = below(random, 4);
    if (kind === 0) bytes[at] = below(random, 256);
    else if (kind === 1) bytes.splice(at, 1 + below(random, 8));
    else if (kind === 2) bytes.splice(at, 0, below(random, 256), below(random, 256));
    else bytes.fill(0xff, at, at + 1 + below(random, 9));
  }
  return Uint8Array.from(bytes);
}

/** Reads it, or says that it is malformed; anything else that is thrown fails the test. */
function refusedOr<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof MalformedInputError) return undefined;
    throw error;
  }
}

test(`shares come back as they went out, seed ${SEED}`, () =>
  property('shares', (random) => {
    const share = randomShare(random);
    assert.deepEqual(decodeShare(encodeShare(share, codec), codec, 'acme'), withTenant(share, 'acme'));
    assert.deepEqual(decodeShare(encodeShare(share, codec), codec, 'other'), withTenant(share, 'other'));
  }));

test(`sums come back as they went out, seed ${SEED}`, () =>
  property('sums', (random) => {
    const sum = randomSum(random);
    const { symbols, ...rest } = decodeShareSum(encodeShareSum(sum, codec), codec);
    assert.deepEqual({ ...rest, symbols: Uint8Array.from(symbols) }, sum);
  }));

test(`what is damaged is malformed, or a share of the tenant who reads it, seed ${SEED}`, async () => {
  let refused = 0;
  await property('damaged shares', (random) => {
    const raw = unpackMessage(codec, SHARE, encodeShare(randomShare(random), codec));
    for (let i = 0; i < 20; i++) {
      const bytes = packMessage(codec, SHARE, damaged(raw, random));
      const share = refusedOr(() => decodeShare(bytes, codec, 'mine'));
      if (share === undefined) refused++;
      for (const { row, spans } of share?.blocks ?? []) {
        assert.equal(row.tenant, 'mine');
        assert.match(row.blockId, /^[\w.=-]+$/);
        assert.ok(spans.every(({ start, end }) => start < end));
      }
    }
  });
  assert.ok(refused > 0);
});

test(`sums that are damaged are malformed, or sums, seed ${SEED}`, async () => {
  let refused = 0;
  await property('damaged sums', (random) => {
    const raw = unpackMessage(codec, SUM, encodeShareSum(randomSum(random), codec));
    for (let i = 0; i < 20; i++) {
      const bytes = packMessage(codec, SUM, damaged(raw, random));
      const sum = refusedOr(() => decodeShareSum(bytes, codec));
      if (sum === undefined) refused++;
      else assert.ok(sum.covered.every(({ start, end }) => start <= end && Number.isSafeInteger(end)));
    }
  });
  assert.ok(refused > 0);
});

test(`damage to what is packed is always found, seed ${SEED}`, () =>
  property('packed', (random) => {
    const packed = encodeShare(randomShare(random), codec);
    const bytes = packed.slice();
    // The flags say nothing yet.
    let at = below(random, bytes.length);
    if (at === 6 || at === 7) at = 0;
    bytes[at]! ^= 1 + below(random, 255);
    assert.equal(
      refusedOr(() => decodeShare(bytes, codec, 'acme')),
      undefined,
      `byte ${at}`,
    );
  }));

test('what no function takes is refused before it is sent', () => {
  let seed = 1;
  const symbols = new Uint8Array(MESSAGE_BYTES_MAX);
  for (let i = 0; i < symbols.length; i++) symbols[i] = seed = (seed * 48271) % 2147483647;
  assert.throws(
    () => encodeShareSum({ ...randomSum(() => 0), symbols }, codec),
    (error) =>
      error instanceof RejectedError && error.reason === 'too-large' && /4500000 bytes/.test(error.message),
  );
});

test('a value that passes 2^53 is not sent', () => {
  const values = Float64Array.of(0, 2 ** 53);
  assert.throws(() => encodeShareSum({ ...randomSum(() => 0), values }, codec), RangeError);
});

function withTenant(share: QueryShare, tenant: string): QueryShare {
  return { ...share, blocks: share.blocks.map((block) => ({ ...block, row: { ...block.row, tenant } })) };
}
