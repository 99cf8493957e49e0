import { RejectedError, RetryableError } from '../../core/errors.ts';
import {
  copyJob,
  listRewrites,
  type RewriteRecord,
  requestRewrite,
  toRecord,
} from '../../pipeline/block-rewrites.ts';
import { runCompactionJob } from '../../pipeline/compact-blocks.ts';
import { listQuarantinedGroups } from '../../pipeline/compaction-quarantine.ts';
import type { Hub } from '../../pipeline/hub.ts';
import {
  discardBlock,
  listQuarantinedBlocks,
  type QuarantinedBlock,
  quarantineBlock,
  restoreBlock,
} from '../../pipeline/quarantine-blocks.ts';
import { planRewrite, type RewriteRequest } from '../../pipeline/rewrite-block.ts';
import { openDataFolder } from '../data-folder.ts';
import { UsageError } from '../exit-code.ts';
import type { Terminal } from '../terminal.ts';
import type { BlockKeeper, KeptBlock, Rewrite } from './block-keeper.ts';

/** A data folder that no server holds. @throws as openDataFolder */
export async function folderKeeper(folder: string, terminal: Terminal): Promise<BlockKeeper> {
  const { hub, close } = await openDataFolder(folder, terminal, 'ask it with --url');
  return {
    quarantine: async (request) => keptBlock(await asAsked(quarantineBlock(hub, request))),
    list: async () => (await listQuarantinedBlocks(hub)).map(keptBlock),
    restore: (blockId) => restoreBlock(hub, blockId),
    discard: async (request) => keptBlock(await discardBlock(hub, request)),
    async rewrite({ blockId, salvage, dryRun }) {
      const request = { blockId, salvage };
      return dryRun ? toRecord(await planRewrite(hub, request)) : rewriteHere(hub, request);
    },
    close,
  };
}

/** What a hub would answer with 400 is a fault of the command line here as there. */
async function asAsked<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof RejectedError && error.reason === 'invalid') throw new UsageError(error.message);
    throw error;
  }
}

/** The same wish that a server would take, and done at once. */
async function rewriteHere(hub: Hub, request: RewriteRequest): Promise<Rewrite> {
  await requestRewrite(hub, request);
  const job = copyJob(request);
  await runCompactionJob(hub, job);
  const record = (await listRewrites(hub)).find(({ blockId }) => blockId === request.blockId);
  if (record?.doneAt !== undefined) return rewriteOf(record);
  const failed = (await listQuarantinedGroups(hub)).find(({ group }) => group === job.group);
  throw new RetryableError(
    `block ${request.blockId} waits to be rewritten: ${failed?.reason ?? 'it is taken'}`,
  );
}

function rewriteOf({ blockId, report, problem, isDamaged }: RewriteRecord): Rewrite {
  const nothing = { blockId, bytesBefore: 0, bytesAfter: 0, isCurrent: false, lost: [] };
  return { ...(report ?? nothing), ...(problem !== undefined && { problem, isDamaged }) };
}

function keptBlock({
  blockId,
  level,
  resolutionSeconds,
  aside,
  datasets,
  ...row
}: QuarantinedBlock): KeptBlock {
  return {
    ...{ blockId, level, resolutionSeconds, minTime: row.minTime, maxTime: row.maxTime, bytes: row.size },
    services: datasets.map(({ service }) => service),
    ...{ reason: aside.reason, quarantinedAt: aside.at },
  };
}
