import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { NEGATIVE_SUFFIX } from '../../../core/pprof/profile-type-names.ts';
import { contentOf, type Decoded, decode } from './decoded.ts';
import { encodeDataset } from './encode-dataset.ts';
import { pprofBytes } from './pprof-bytes.ts';
import { aServiceProfile } from './service-profile.ts';

// Whole profiles: real ones from CINDERBLOCK_CORPUS where it is set, and generated ones everywhere. Each must come out
// with exactly the totals that another decoder (npm pprof-format) finds, and unchanged after encode and decode.

const { Profile } = createRequire(import.meta.url)('pprof-format') as typeof import('pprof-format');

/** Totals per sample type as int64, the way pprof means them. */
function peerTotals(raw: Uint8Array): Record<string, bigint> {
  const profile = Profile.decode(raw);
  const totals: Record<string, bigint> = {};
  for (const [t, { type }] of profile.sampleType.entries()) {
    const name = profile.stringTable.strings[Number(type)]!;
    totals[name] = profile.sample.reduce((sum, { value }) => sum + BigInt.asIntN(64, BigInt(value[t]!)), 0n);
  }
  return totals;
}

function ownTotals({ summary }: Decoded): Record<string, bigint> {
  const totals: Record<string, bigint> = {};
  for (const { id, total } of summary.profileTypes) {
    const name = id.split(':')[1]!;
    if (name.endsWith(NEGATIVE_SUFFIX)) totals[name.slice(0, -NEGATIVE_SUFFIX.length)]! -= total;
    else totals[name] = total;
  }
  return totals;
}

function check(raw: Uint8Array): void {
  for (const keepAddresses of ['all', 'unsymbolized'] as const)
    assert.deepEqual(ownTotals(decode(raw, { keepAddresses })), peerTotals(raw));
  const first = decode(raw);
  const again = decode(encodeDataset(first.dataset));
  // Not with assert.deepEqual: the difference of two whole profiles is no message to read.
  assert.ok(isDeepStrictEqual(stacksOf(again), stacksOf(first)), 'encoding and decoding changed a stack');
}

/** Values by sample type and stack; the period type and the labels do not go through encodeDataset. */
function stacksOf({ dataset }: Decoded): Record<string, Record<string, bigint>> {
  const sums: Record<string, Record<string, bigint>> = {};
  for (const [key, stacks] of Object.entries(contentOf(dataset))) {
    const sum = (sums[key.split(':')[1]!] ??= {});
    for (const [stack, value] of Object.entries(stacks)) sum[stack] = (sum[stack] ?? 0n) + value;
  }
  return sums;
}

for (const seed of [1, 2, 3])
  test(`generated profile ${seed}`, () => check(pprofBytes(aServiceProfile(seed))));

const corpus = process.env.CINDERBLOCK_CORPUS;
const folder = corpus === undefined ? '' : join(corpus, 'pprof');
if (corpus === undefined) console.log('CINDERBLOCK_CORPUS is not set: generated profiles only');
else assert.ok(existsSync(folder), `CINDERBLOCK_CORPUS has no folder pprof: ${folder}`);

const files = corpus === undefined ? [] : readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
for (const file of files.filter((name) => name.endsWith('.pb.gz'))) {
  test(file, () => check(gunzipSync(readFileSync(join(folder, file)))));
}
