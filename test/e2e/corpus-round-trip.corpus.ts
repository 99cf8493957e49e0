import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { Profile } from 'pprof-format';
import { openServer } from '../server/server-under-test.ts';

// Real profiles, sent to /ingest, come back with exactly their totals. Not part of a plain run: point CINDERBLOCK_CORPUS
// at a folder of .pb.gz files and run this file.

const CORPUS = process.env.CINDERBLOCK_CORPUS ?? '';

const RANGE = { start: 1, end: Date.now() + 86_400_000 };

/** Sums per sample type as an independent decoder sees them. */
function totalsOf(bytes: Uint8Array): Map<string, bigint> {
  const { sampleType, sample, stringTable } = Profile.decode(new Uint8Array(gunzipSync(bytes)));
  return new Map(
    sampleType.map(({ type }, i) => [
      stringTable.strings[Number(type)]!,
      sample.reduce((sum, { value }) => sum + BigInt.asIntN(64, BigInt(value[i]!)), 0n),
    ]),
  );
}

async function call(url: string, method: string, body: object) {
  const response = await fetch(`${url}/querier.v1.QuerierService/${method}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...RANGE, ...body }),
  });
  return JSON.parse(await response.text());
}

const files = readdirSync(join(CORPUS, 'pprof'), { recursive: true }) as string[];

for (const file of files.filter((name) => name.endsWith('.pb.gz'))) {
  test(file, async (t) => {
    const bytes = new Uint8Array(readFileSync(join(CORPUS, 'pprof', file)));
    const { url, process: store } = await openServer(t);
    const pushed = await fetch(`${url}/ingest?name=corpus&format=pprof`, { method: 'POST', body: bytes });
    assert.equal(pushed.status, 200, await pushed.text());
    await store();
    const { profileTypes } = await call(url, 'ProfileTypes', {});
    const found = new Map<string, bigint>();
    for (const { ID, sampleType } of profileTypes) {
      const { flamegraph } = await call(url, 'SelectMergeStacktraces', {
        profileTypeID: ID,
        labelSelector: '{service_name="corpus"}',
      });
      found.set(sampleType, BigInt(flamegraph.total ?? 0));
    }
    for (const [type, total] of totalsOf(bytes)) {
      // What shrank is kept under a type of its own, so that nothing stored is negative.
      const net = (found.get(type) ?? 0n) - (found.get(`${type}_negative`) ?? 0n);
      assert.equal(net, total, type);
    }
  });
}
