// Law: whatever bytes stand where a compressed section should, decompress answers exactly the length asked for or
// throws MalformedInputError; it never crashes, and never answers another length.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MalformedInputError } from '../../core/errors.ts';
import { seededRandom } from '../../storage/faults/fault-plan.ts';
import { zstdCodec } from '../../storage/zstd-codec.ts';
import { fuzzRuns, fuzzSeed } from './fuzz-seed.ts';

test('damaged frames give the length asked for, or MalformedInputError', () => {
  const seed = fuzzSeed();
  const random = seededRandom(seed);
  const below = (n: number) => Math.floor(random() * n);
  let refused = 0;
  for (let run = 0; run < fuzzRuns(3000); run++) {
    const raw = Uint8Array.from({ length: below(2000) }, () => below(1 + below(256)));
    const damaged = Uint8Array.from(zstdCodec.compress(raw));
    for (let i = 0; i <= below(3); i++) damaged[below(damaged.length)] ^= 1 << below(8);
    const length = below(4) === 0 ? below(100_000) : raw.length;
    try {
      assert.equal(zstdCodec.decompress(damaged, length).length, length, `seed ${seed}, run ${run}`);
    } catch (error) {
      assert.ok(error instanceof MalformedInputError, `seed ${seed}, run ${run}: ${error}`);
      refused++;
    }
  }
  assert.ok(refused > 0, 'some damage was noticed');
});
