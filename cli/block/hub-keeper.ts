import { setTimeout as sleep } from 'node:timers/promises';
import { RetryableError } from '../../core/errors.ts';
import type { AdminClient, BlockRewriteInfo, QuarantinedBlockInfo } from '../admin-client.ts';
import { durationText } from '../quantity.ts';
import type { Terminal } from '../terminal.ts';
import type { BlockKeeper, KeptBlock, Rewrite } from './block-keeper.ts';

const LOOK_EVERY_MS = 2_000;

/** A hub, by its API. */
export function hubKeeper(admin: AdminClient, terminal: Terminal): BlockKeeper {
  return {
    quarantine: async (request) => keptBlock((await admin.call('QuarantineBlock', request)).block),
    list: async () => (await admin.call('ListQuarantinedBlocks', {})).blocks.map(keptBlock),
    async restore(blockId) {
      const { problem, replaced } = await admin.call('RestoreBlock', { blockId });
      return { replaced, ...(problem !== '' && { problem }) };
    },
    discard: async (request) => keptBlock((await admin.call('DiscardBlock', request)).block),
    async rewrite({ wait, ...request }) {
      const { rewrite } = await admin.call('RewriteBlock', request);
      if (request.dryRun || !wait) return rewriteOf(rewrite, request.dryRun);
      return rewriteOf(await doneRewrite(admin, rewrite, terminal), false);
    },
    close: async () => undefined,
  };
}

/** Waits until the hub has done it: where blocks are merged, and after its next plan. Ctrl-C ends waiting alone. */
async function doneRewrite(
  admin: AdminClient,
  { blockId, requestedAtMs }: BlockRewriteInfo,
  terminal: Terminal,
): Promise<BlockRewriteInfo> {
  const startedAt = terminal.now();
  for (;;) {
    const found = await findRewrite(admin, blockId, requestedAtMs);
    if (found?.doneAtMs !== undefined) return found;
    const waited = durationText(Math.max(1000, terminal.now() - startedAt));
    terminal.progress(`the hub rewrites ${blockId}: ${waited}; Ctrl-C ends waiting, not the work`);
    await sleep(LOOK_EVERY_MS, undefined, { signal: terminal.signal });
  }
}

/** Undefined while the hub is away for a moment. */
async function findRewrite(
  admin: AdminClient,
  blockId: string,
  requestedAtMs: string,
): Promise<BlockRewriteInfo | undefined> {
  try {
    const { rewrites } = await admin.call('ListBlockRewrites', {});
    return rewrites.find((one) => one.blockId === blockId && one.requestedAtMs === requestedAtMs);
  } catch (error) {
    if (error instanceof RetryableError) return undefined;
    throw error;
  }
}

function rewriteOf(info: BlockRewriteInfo, isDryRun: boolean): Rewrite {
  const { blockId, newBlockId, problem, damaged, current, doneAtMs } = info;
  return {
    blockId,
    ...(newBlockId !== '' && { newBlockId }),
    bytesBefore: Number(info.bytesBefore),
    bytesAfter: Number(info.bytesAfter),
    isCurrent: current,
    lost: info.lost.map(({ rows, samples, minTime, maxTime, ...lost }) => ({
      ...lost,
      rows: Number(rows),
      samples: Number(samples),
      minTime: Number(minTime),
      maxTime: Number(maxTime),
    })),
    ...(problem !== '' && { problem, isDamaged: damaged }),
    ...(!isDryRun && doneAtMs === undefined && { isWaiting: true }),
  };
}

function keptBlock({ quarantinedAtMs, ...block }: QuarantinedBlockInfo): KeptBlock {
  return {
    ...block,
    minTime: Number(block.minTime),
    maxTime: Number(block.maxTime),
    bytes: Number(block.bytes),
    quarantinedAt: Number(quarantinedAtMs),
  };
}
