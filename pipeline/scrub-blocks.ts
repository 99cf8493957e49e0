import { CorruptBlockError, RejectedError } from '../core/errors.ts';
import type { BlockRow } from '../storage/block-catalog.ts';
import { aloneAt } from './group-lease.ts';
import type { Hub } from './hub.ts';
import { openBlockOf } from './open-block.ts';

/** A block that does not hold what its row says. */
export interface DamagedBlock {
  blockId: string;
  minTime: number;
  maxTime: number;
  /** `missing`: its object is gone. `corrupt`: a section of it is damaged. */
  kind: 'missing' | 'corrupt';
  problem: string;
}

export interface ScrubReport {
  blocks: number;
  bytes: number;
  damaged: DamagedBlock[];
  /** Whether the last block was reached: the next run begins with the first again. */
  finished: boolean;
}

/** What one run reads at most, in bytes, so that a year of blocks is gone through in steps. */
export const SCRUB_BYTES_MAX = 1024 * 1024 * 1024;

const PAGE = 100;

/**
 * Reads blocks whole and checks every checksum, index and total, going on where the last run stopped. Damage costs no
 * query: answers leave out what is damaged and say so.
 * @throws RetryableError while somebody else does the same
 */
export async function scrubBlocks(hub: Hub, bytesMax = SCRUB_BYTES_MAX): Promise<ScrubReport> {
  return aloneAt(hub, 'scrub', () => scrub(hub, bytesMax));
}

async function scrub(hub: Hub, bytesMax: number): Promise<ScrubReport> {
  const report: ScrubReport = { blocks: 0, bytes: 0, damaged: [], finished: false };
  const cursorKey = `scrub/${hub.tenant}`;
  let after = parseCursor(await hub.registry.setting(cursorKey));
  while (!report.finished && report.bytes < bytesMax) {
    const page = await hub.catalog.list({ tenant: hub.tenant, after, limit: PAGE });
    for (const row of page) {
      if (report.bytes >= bytesMax) break;
      await scrubBlock(hub, row, report);
      after = row;
    }
    report.finished = page.length < PAGE && (page.length === 0 || after === page.at(-1));
  }
  if (report.finished) after = undefined;
  await hub.registry.putSetting(cursorKey, after ? `${after.minTime} ${after.blockId}` : '');
  hub.telemetry.count('scrub_blocks_total', report.blocks);
  hub.telemetry.count('scrub_damaged_blocks_total', report.damaged.length);
  return report;
}

async function scrubBlock(hub: Hub, row: BlockRow, report: ScrubReport): Promise<void> {
  report.blocks++;
  report.bytes += row.size;
  const damage = await damageOf(hub, row);
  // Merged away while it was read: nothing is wrong.
  if (damage === undefined || (await hub.catalog.get(row.blockId)) === undefined) return;
  report.damaged.push(damage);
  hub.telemetry.log('error', `scrub: block ${row.blockId} is ${damage.kind}: ${damage.problem}`);
}

async function damageOf(hub: Hub, row: BlockRow): Promise<DamagedBlock | undefined> {
  const { blockId, minTime, maxTime } = row;
  try {
    await (await openBlockOf(hub, row)).verify();
    return undefined;
  } catch (error) {
    const isMissing = error instanceof RejectedError && error.reason === 'not-found';
    if (!isMissing && !(error instanceof CorruptBlockError)) throw error;
    return { blockId, minTime, maxTime, kind: isMissing ? 'missing' : 'corrupt', problem: error.message };
  }
}

function parseCursor(text: string | undefined): { minTime: number; blockId: string } | undefined {
  const [, minTime, blockId] = /^(\d+) (\S+)$/.exec(text ?? '') ?? [];
  return blockId === undefined ? undefined : { minTime: Number(minTime), blockId };
}
