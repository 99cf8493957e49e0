// Laws of the frame parser: frames come out as they went in however the stream is cut; any other bytes end in
// MalformedInputError or in frames no longer than announced, and memory is bounded by the limit of one frame.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FRAME_BYTES_MAX, type Frame, FrameParser } from '../../../agent/engine/sampler-frames.ts';
import { MalformedInputError } from '../../../core/errors.ts';
import { fuzzRuns, seededRandom, wholeBetween } from '../seeded-random.ts';

function encode(frames: readonly Frame[]): Uint8Array {
  const parts = frames.map(({ kind, payload }) => {
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32LE(payload.length, 0);
    prefix[4] = kind;
    return Buffer.concat([prefix, payload]);
  });
  return Buffer.concat(parts);
}

function cut(random: () => number, bytes: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = wholeBetween(random, 1, 40);
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  return pieces;
}

test('frames come out as they went in, however the stream is cut', () => {
  const { seed, runs } = fuzzRuns(500);
  for (let i = 0; i < runs; i++) {
    const random = seededRandom(seed + i);
    const frames = Array.from({ length: wholeBetween(random, 0, 8) }, () => ({
      kind: wholeBetween(random, 0, 256),
      payload: new Uint8Array(wholeBetween(random, 0, 120)).map(() => wholeBetween(random, 0, 256)),
    }));
    const seen: Frame[] = [];
    const parser = new FrameParser((frame) => seen.push(frame));
    for (const piece of cut(random, encode(frames))) parser.push(piece);
    assert.deepEqual(seen, frames, `CINDERBLOCK_SEED=${seed + i}`);
    assert.ok(parser.isBetweenFrames);
  }
});

test('other bytes are refused or waited on, and never exceed the limit', () => {
  const { seed, runs } = fuzzRuns(500);
  for (let i = 0; i < runs; i++) {
    const random = seededRandom(seed + i);
    const parser = new FrameParser(({ payload }) => assert.ok(payload.length <= FRAME_BYTES_MAX));
    const bytes = new Uint8Array(200).map(() => (random() < 0.7 ? 0 : wholeBetween(random, 0, 256)));
    try {
      for (const piece of cut(random, bytes)) parser.push(piece);
    } catch (error) {
      assert.ok(error instanceof MalformedInputError, `CINDERBLOCK_SEED=${seed + i}: ${error}`);
    }
  }
});

test('a frame that announces more than any is refused before memory is taken for it', () => {
  const parser = new FrameParser(() => assert.fail('no frame is there'));
  assert.throws(() => parser.push(Uint8Array.from([0xff, 0xff, 0xff, 0xff, 1])), MalformedInputError);
});
