import { AdminClient, type DamagedBlockInfo } from '../admin-client.ts';
import { ExitCode } from '../exit-code.ts';
import { bytesText, count, counted, timeText } from '../quantity.ts';
import { jsonText } from '../query/answer-json.ts';
import { styled, type Terminal } from '../terminal.ts';

interface HubValues {
  readonly url?: string;
  readonly token?: string;
}

/** What one call reads at most: it ends well before a proxy gives up waiting. */
const CALL_BYTES_MAX = 256 * 1024 * 1024;

/** Keys of orphans and ids of blocks that are shown before the rest is counted. */
const SHOWN_MAX = 20;

/**
 * Lets a hub read its blocks and check them, in as many calls as it takes. Answers the exit code: 5 when one is damaged.
 * @param bytesMax stop after about so many; absent = when the last block was reached
 */
export async function scrubHub(
  values: HubValues,
  bytesMax: number | undefined,
  isJson: boolean,
  terminal: Terminal,
): Promise<number> {
  const admin = new AdminClient(values, terminal);
  const damaged: DamagedBlockInfo[] = [];
  let [blocks, bytes, finished] = [0, 0, false];
  while (!finished && (bytesMax === undefined || bytes < bytesMax)) {
    terminal.progress(
      `read ${counted(blocks, 'block')}, ${bytesText(bytes)}, ${count(damaged.length)} damaged`,
    );
    const left = Math.min(CALL_BYTES_MAX, (bytesMax ?? Number.POSITIVE_INFINITY) - bytes);
    const answer = await admin.call('ScrubBlocks', { bytesMax: left });
    blocks += Number(answer.blocks);
    bytes += Number(answer.bytes);
    damaged.push(...answer.damaged);
    finished = answer.finished;
    if (!isJson) for (const one of answer.damaged) await terminal.write(damageText(one, terminal));
  }
  const end = finished ? '' : '; the next scrub goes on from here';
  const verdict =
    damaged.length === 0 ? styled(terminal, 'green', 'sound') : `${count(damaged.length)} damaged`;
  const text = `${verdict}: ${counted(blocks, 'block')}, ${bytesText(bytes)}${end}\n`;
  await terminal.write(isJson ? jsonText({ blocks, bytes, damaged, finished }) : text);
  return damaged.length > 0 ? ExitCode.corrupt : ExitCode.ok;
}

function damageText(
  { blockId, kind, minTime, maxTime, problem }: DamagedBlockInfo,
  terminal: Terminal,
): string {
  const range = `${timeText(Number(minTime))} to ${timeText(Number(maxTime))}`;
  return `${styled(terminal, 'red', kind)}: ${blockId}, ${range}: ${problem}\n`;
}

/** Lets a hub compare objects and catalog. Answers the exit code: 5 when a block has lost its object. */
export async function sweepHub(
  values: HubValues,
  dryRun: boolean,
  isJson: boolean,
  terminal: Terminal,
): Promise<number> {
  const admin = new AdminClient(values, terminal);
  terminal.progress('comparing objects with the catalog');
  const { orphans, missing, postponed, ...numbers } = await admin.call('SweepOrphans', { dryRun });
  const [orphanCount, orphanBytes] = [Number(numbers.orphanCount), Number(numbers.orphanBytes)];
  const [objects, rows] = [Number(numbers.objects), Number(numbers.rows)];
  const counts = { dryRun, objects, rows, orphanCount, orphanBytes };
  if (isJson) await terminal.write(jsonText({ ...counts, orphans, missing, postponed }));
  else {
    const verb = dryRun ? 'would be deleted' : 'deleted';
    const lines = [
      ...orphans.slice(0, SHOWN_MAX).map((key) => `  ${key}`),
      ...(orphanCount > SHOWN_MAX ? [`  … ${count(orphanCount - SHOWN_MAX)} more`] : []),
      ...missing.map((id) => `${styled(terminal, 'red', 'missing')}: the object of block ${id}`),
      `${counted(objects, 'object')}, ${counted(rows, 'block')} in the catalog`,
    ];
    await terminal.write(
      `${counted(orphanCount, 'object')} without a block ${verb}, ${bytesText(orphanBytes)}\n${lines.join('\n')}\n`,
    );
    if (postponed) terminal.note('many deletions are under way: objects were left alone; sweep again later');
  }
  return missing.length > 0 ? ExitCode.corrupt : ExitCode.ok;
}
