import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { BlockWriter } from '../../core/block/block-writer.ts';
import { compactBlocks } from '../../pipeline/compact-blocks.ts';
import { blockRowOf } from '../../pipeline/process-batches.ts';
import { selectTree } from '../../pipeline/run-query.ts';
import { blockKey } from '../../storage/names.ts';
import { codec } from '../core/block/fixtures.ts';
import { decode } from '../core/pprof/decoded.ts';
import { type MemoryHub, memoryHub } from './memory-hub.ts';

// Real profiles have the same flame graph and totals before and after each step of compaction and downsampling. Not part
// of a plain run: point CINDERBLOCK_CORPUS at a folder with pprof/*.pb.gz, and run this file.

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = 1_700_006_400_000;
const CORPUS = process.env.CINDERBLOCK_CORPUS ?? join(import.meta.dirname, '../../../shared/data');
const FOLDER = join(CORPUS, 'pprof');

/** Publishes the profile as it would come from six pushes over three hours; answers its profile types. */
async function publish(hub: MemoryHub, raw: Uint8Array): Promise<string[]> {
  const types = new Set<string>();
  for (let push = 0; push < 6; push++) {
    const { dataset } = decode(raw);
    for (const [type, rows] of dataset.types) {
      types.add(type);
      rows.start.fill(START + push * 37 * 60_000);
      rows.duration.fill(10_000);
    }
    const batchIds = [`c/n/b/${push}`];
    const writer = new BlockWriter(codec);
    writer.addDataset(dataset);
    const meta = { blockId: `push-${push}`, tenant: hub.tenant, level: 0, resolutionSeconds: 0 };
    const written = { ...writer.finish(meta, batchIds), batchIds };
    await hub.objects.put(blockKey(hub.tenant, 0, meta.blockId), written.bytes);
    await hub.catalog.publish(blockRowOf(written, hub.now));
  }
  return [...types];
}

const files = (readdirSync(FOLDER, { recursive: true }) as string[]).filter((name) =>
  name.endsWith('.pb.gz'),
);
assert.ok(files.length > 0, `${FOLDER} holds no profile`);

for (const file of files) {
  test(file, async () => {
    const hub = memoryHub(START + 4 * HOUR);
    const types = await publish(hub, gunzipSync(readFileSync(join(FOLDER, file))));
    const answers = () =>
      Promise.all(
        types.map(async (profileType) => {
          const selection = { profileType, selector: '{}', start: START, end: START + DAY };
          const { tree, total, completeness } = await selectTree(hub, selection);
          return { answer: { tree, total, samples: completeness.samples }, completeness };
        }),
      );
    const before = await answers();
    for (const [resolutionSeconds, time] of [
      [3600, hub.now],
      [86_400, START + 5 * DAY],
    ] as const) {
      hub.now = time;
      await compactBlocks(hub);
      assert.deepEqual(hub.logs, []);
      for (const [i, { answer, completeness }] of (await answers()).entries()) {
        assert.deepEqual(answer, before[i]!.answer, types[i]);
        assert.equal(completeness.resolutionSeconds, resolutionSeconds);
      }
    }
  });
}
