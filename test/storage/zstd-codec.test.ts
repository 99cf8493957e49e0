import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, zstdCompressSync } from 'node:zlib';
import { MalformedInputError } from '../../core/errors.ts';
import { zstdCodec } from '../../storage/zstd-codec.ts';

const { compress, decompress, crc32 } = zstdCodec;

/** Bytes that compress somewhat, without a pattern that zstd would fold to nothing. */
function sampleBytes(length: number): Uint8Array {
  let state = 1;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 16) & 15;
  });
}

function malformed(call: () => unknown): void {
  assert.throws(call, MalformedInputError);
}

test('decompress undoes compress at every size class of the frame header', () => {
  for (const length of [0, 1, 255, 256, 257, 65_535, 65_791, 65_792, 65_793, 1 << 20, 5_000_000]) {
    const raw = sampleBytes(length);
    assert.deepEqual(Uint8Array.from(decompress(compress(raw), length)), raw);
  }
});

test('the same bytes compress to the same bytes, from any place in a buffer', () => {
  const raw = sampleBytes(10_000);
  const shifted = new Uint8Array(10_010);
  shifted.set(raw, 7);
  assert.deepEqual(compress(shifted.subarray(7, 10_007)), compress(raw));
});

test('another length than expected is malformed', () => {
  const compressed = compress(sampleBytes(1000));
  for (const length of [0, 1, 999, 1001, 1e6, -1, 0.5, Number.NaN])
    malformed(() => decompress(compressed, length));
});

test('cut, changed or lengthened frames are malformed or caught by their length', () => {
  const raw = sampleBytes(1000);
  const compressed = compress(raw);
  for (let length = 0; length < compressed.length; length++)
    malformed(() => decompress(compressed.subarray(0, length), 1000));
  malformed(() => decompress(Buffer.concat([compressed, Buffer.of(0)]), 1000));
  malformed(() => decompress(Buffer.concat([compressed, compressed]), 2000));
  malformed(() => decompress(Buffer.concat([compressed, compressed]), 1000));
  malformed(() => decompress(Buffer.from('not zstd at all'), 100));
});

test('a small section cannot ask for much memory', () => {
  const bomb = zstdCompressSync(new Uint8Array(200 * 1024 * 1024));
  assert.ok(bomb.length < 32 * 1024);
  malformed(() => decompress(bomb, 1000));
  malformed(() => decompress(compress(new Uint8Array(100)), 2 ** 40));
  malformed(() => decompress(compress(new Uint8Array(100)), 2 ** 31));
  // A header may leave its content size out; then the output limit holds.
  const unsized = zstdCompressSync(new Uint8Array(1e7), {
    params: { [constants.ZSTD_c_contentSizeFlag]: 0 },
  });
  malformed(() => decompress(unsized, 1000));
  // The window of a frame is memory too: one that asks for more than its content is refused.
  const wide = zstdCompressSync(sampleBytes(1e6), {
    params: { [constants.ZSTD_c_windowLog]: 25, [constants.ZSTD_c_contentSizeFlag]: 0 },
  });
  malformed(() => decompress(wide, 2000));
});

test('a frame without its content size is read when the length is right', () => {
  const raw = sampleBytes(300_000);
  const unsized = zstdCompressSync(raw, { params: { [constants.ZSTD_c_contentSizeFlag]: 0 } });
  assert.deepEqual(Uint8Array.from(decompress(unsized, raw.length)), raw);
});

test('crc32 is that of IEEE 802.3', () => {
  assert.equal(crc32(new TextEncoder().encode('123456789')), 0xcbf43926);
  assert.equal(crc32(new Uint8Array()), 0);
});
