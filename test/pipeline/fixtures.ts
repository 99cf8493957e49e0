import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type BatchOrigin, batchIdOf } from '../../core/batch/batch-origin.ts';
import { BlockBuilder } from '../../core/block/block-builder.ts';
import { defaultHubSettings, type Hub } from '../../pipeline/hub.ts';
import { compileLinearRegex } from '../../pipeline/linear-regex.ts';
import { openEmbeddedStorage } from '../../storage/embedded/open-embedded-storage.ts';
import { gunzipBounded } from '../../storage/gzip.ts';
import { zstdCodec } from '../../storage/zstd-codec.ts';
import { addRow, type RowSpec, randomFrom } from '../core/block/fixtures.ts';

/** Start of the time that tests live in: a whole hour. */
export const NOW = 1_700_002_800_000;

export interface TestHub extends Hub {
  /** Sets the hub's clock. */
  now: number;
  readonly logs: string[];
}

/** A hub on embedded storage in a folder of its own, with a clock that stands still; gone when the test ends. */
export async function openHub(t: TestContext, folder?: string): Promise<TestHub> {
  const home = folder ?? mkdtempSync(join(tmpdir(), 'cinderblock-hub-'));
  const random = randomFrom(42);
  const logs: string[] = [];
  const time = { now: NOW };
  const storage = await openEmbeddedStorage({ folder: home, clock: () => time.now });
  t.after(async () => {
    await storage.close();
    if (folder === undefined) rmSync(home, { recursive: true });
  });
  const hub: TestHub = {
    ...storage,
    access: { kind: 'key-pair' },
    codec: zstdCodec,
    gunzip: gunzipBounded,
    compileRegex: compileLinearRegex,
    clock: () => time.now,
    random,
    tenant: 'default',
    settings: defaultHubSettings,
    telemetry: { count() {}, gauge() {}, log: (_level, message) => void logs.push(message) },
    logs,
    get now() {
      return time.now;
    },
    set now(value: number) {
      time.now = value;
    },
  };
  await hub.registry.createCluster({ cluster: 'c', displayName: 'c', status: 'active', createdAt: NOW });
  return hub;
}

/** A batch as an agent of cluster c would send it; kept is what its rows hold. */
export function batchOf(
  sequence: number,
  rows: readonly RowSpec[],
  overrides: Partial<BatchOrigin> = {},
): Uint8Array {
  const identity = { cluster: 'c', node: 'n', bootId: 'b', sequence, ...overrides };
  const block = new BlockBuilder();
  const batch = batchIdOf(identity);
  for (const row of rows) addRow(block, { cluster: identity.cluster, start: NOW - 60_000, ...row, batch });
  let kept = 0;
  for (const dataset of block.datasets()) {
    for (const type of dataset.types.values()) for (let r = 0; r < type.count; r++) kept += type.samples[r]!;
  }
  const origin: BatchOrigin = {
    taken: kept,
    lost: 0,
    dropped: 0,
    kept,
    firstWindow: NOW - 60_000,
    lastWindow: NOW - 50_000,
    agentVersion: 'test',
    engine: 'perf',
    droppedBatches: 0,
    droppedBatchSamples: 0,
    ...identity,
  };
  const meta = { blockId: batch.replaceAll('/', '_'), tenant: '', level: 0, resolutionSeconds: 0, origin };
  return block.write(meta, zstdCodec).bytes;
}
