import { constants, zstdCompressSync } from 'node:zlib';
import { BlockBuilder } from '../../core/block/block-builder.ts';
import { newBlockId } from '../../core/block/block-id.ts';
import type { Codec } from '../../core/block/codec.ts';
import { CPU_PROFILE_TYPE } from '../../core/labels/profile-type.ts';
import { addFolded } from '../../core/profile/folded-profile.ts';
import type { Hub } from '../../pipeline/hub.ts';
import { publishBlock } from '../../pipeline/process-batches.ts';
import { openHub } from '../../server/open-hub.ts';
import { openEmbeddedStorage } from '../../storage/embedded/open-embedded-storage.ts';
import { zstdCodec } from '../../storage/zstd-codec.ts';

export const START = Date.parse('2026-11-01T10:00:00Z');
export const NOW = START + 2 * 3_600_000;

/** Reads what zstdCodec reads, and writes other bytes: as a writer of another version may. */
export const otherCodec: Codec = {
  ...zstdCodec,
  compress: (raw) => zstdCompressSync(raw, { params: { [constants.ZSTD_c_compressionLevel]: 19 } }),
};

/** Works on a data folder as a server that then stops. */
export async function inFolder<T>(
  folder: string,
  use: (hub: Hub) => Promise<T>,
  clock = () => NOW,
): Promise<T> {
  const storage = await openEmbeddedStorage({ folder, clock });
  try {
    return await use(openHub(storage, { telemetry: { count() {}, gauge() {}, log() {} }, clock }));
  } finally {
    await storage.close();
  }
}

export interface BlockContent {
  readonly services: readonly string[];
  /** One window of 10 s each, from START on. */
  readonly windows: readonly number[];
  readonly batch: string;
  /** Of the stack `main;parse`; `main;draw` has 7. */
  readonly parse?: number;
  /** Stacks the other way round, so that tables stand in another order. */
  readonly reversed?: boolean;
}

/** A block of level 0. */
export function blockOf(content: BlockContent, codec: Codec = zstdCodec) {
  const { services, windows, batch, parse = 5, reversed = false } = content;
  const builder = new BlockBuilder();
  const number = builder.batch(batch);
  const lines = [`main;parse ${parse}`, 'main;draw 7'];
  for (const service of services) {
    for (const window of windows) {
      addFolded(builder.dataset(service), {
        text: (reversed ? lines.toReversed() : lines).join('\n'),
        labels: [
          ['cluster', 'lab'],
          ['service_name', service],
        ],
        batch: number,
        profileType: CPU_PROFILE_TYPE,
        valueScale: 10_000_000,
        startMs: START + window * 10_000,
        durationMs: 10_000,
      });
    }
  }
  const blockId = newBlockId(NOW - 1000 + Math.floor(Math.random() * 1000), Math.random);
  const meta = { blockId, tenant: 'local', level: 0, resolutionSeconds: 0 };
  return { ...builder.write(meta, codec), batchIds: [...builder.batchIds] };
}

/** Stores a block and answers its id. */
export async function publish(hub: Hub, content: BlockContent, codec?: Codec): Promise<string> {
  const block = blockOf(content, codec);
  await publishBlock(hub, block);
  return block.directory.blockId;
}
