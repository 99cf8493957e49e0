import { existsSync } from 'node:fs';
import { readSpool, type SpoolEntry, type SpoolReport } from '../agent/spool/read-spool.ts';
import { type Command, oneOf, readOptions } from './command.ts';
import { ExitCode, UsageError } from './exit-code.ts';
import { bytesText, count, counted, durationText, timeText } from './quantity.ts';
import { jsonText } from './query/answer-json.ts';
import { styled, type Terminal } from './terminal.ts';
import { textTable } from './text-table.ts';

export const spoolCommand: Command = {
  name: 'spool',
  summary: "look into an agent's spool folder, and check it",
  help: `Usage: cinderblock spool ls|verify DIR [options]

  ls       list the batches that an agent has written and not yet forgotten; the agent may be running
  verify   check every record; names each damaged one with its segment and offset, exit code 5

  --output FORMAT   text (default) or json
`,
  run: runSpool,
};

const options = { output: { type: 'string', default: 'text' } } as const;

async function runSpool(args: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals } = readOptions(args, options);
  const [verb, folder, ...more] = positionals;
  const action = oneOf('the verb', verb ?? '', ['ls', 'verify']);
  const output = oneOf('--output', values.output, ['text', 'json']);
  if (folder === undefined || more.length > 0) throw new UsageError('name one spool folder');
  if (!existsSync(folder)) throw new UsageError(`there is no folder ${folder}`);
  const report = readSpool(folder);
  if (output === 'json') await terminal.write(jsonText(report));
  else await terminal.write(action === 'ls' ? listText(report, terminal) : verifyText(report, terminal));
  return action === 'verify' && isDamaged(report) ? ExitCode.corrupt : ExitCode.ok;
}

function isDamaged({ damaged, damagedBytes }: SpoolReport): boolean {
  return damaged > 0 || damagedBytes > 0;
}

function listText(report: SpoolReport, terminal: Terminal): string {
  const columns = [
    { title: 'number', align: 'right' },
    { title: 'status' },
    { title: 'bytes', align: 'right' },
    { title: 'samples', align: 'right' },
    { title: 'from' },
    { title: 'length', align: 'right' },
    { title: 'spooled' },
    { title: 'boot' },
    { title: 'sequence', align: 'right' },
  ] as const;
  const rows = report.entries.map((entry) => [
    String(entry.ordinal),
    entry.status,
    count(entry.bytes),
    count(entry.kept),
    timeText(entry.firstWindow),
    durationText(entry.lastWindow - entry.firstWindow),
    timeText(entry.createdMs),
    entry.bootId,
    String(entry.sequence),
  ]);
  return `${rows.length === 0 ? '' : textTable(columns, rows, terminal.width)}${summaryText(report)}`;
}

function verifyText(report: SpoolReport, terminal: Terminal): string {
  const damaged = styled(terminal, 'red', 'damaged');
  const lines = report.entries.flatMap((entry) => damagesOf(entry).map((what) => `${damaged}: ${what}\n`));
  const tail =
    report.damagedBytes - report.entries.reduce((sum, { damagedBytesBefore }) => sum + damagedBytesBefore, 0);
  if (tail > 0)
    lines.push(`${damaged}: ${count(tail)} bytes after the last record of a segment are no record\n`);
  const verdict =
    lines.length === 0 ? `${styled(terminal, 'green', 'sound')}: every record is as it was written\n` : '';
  return `${lines.join('')}${verdict}${summaryText(report)}`;
}

function damagesOf({ segment, offset, ordinal, kept, status, damagedBytesBefore }: SpoolEntry): string[] {
  const damages: string[] = [];
  if (damagedBytesBefore > 0) {
    damages.push(`${segment} at bytes ${offset - damagedBytesBefore} to ${offset}: no record`);
  }
  if (status === 'damaged') {
    damages.push(
      `${segment} at byte ${offset}: batch ${ordinal} (${counted(kept, 'sample')}) is not what was written`,
    );
  }
  return damages;
}

function summaryText({ entries, segments, bytes, waiting, unreported, rejected }: SpoolReport): string {
  const samples = entries.reduce((sum, { status, kept }) => sum + (status === 'waiting' ? kept : 0), 0);
  const lines = [
    `${counted(entries.length, 'batch', 'batches')} in ${counted(segments, 'segment')}, ${bytesText(bytes)}; ` +
      `${count(waiting)} waiting to be uploaded with ${counted(samples, 'sample')}`,
  ];
  if (unreported !== undefined) {
    const { taken, lost, droppedBatches, droppedSamples } = unreported;
    if (taken + lost + droppedBatches + droppedSamples > 0) {
      lines.push(
        `not yet reported: ${counted(taken, 'sample')} taken, ${count(lost)} lost by the kernel, ` +
          `${counted(droppedBatches, 'batch', 'batches')} with ${counted(droppedSamples, 'sample')} dropped`,
      );
    }
  }
  if (rejected.length > 0) lines.push(`refused by the hub and set aside: ${rejected.join(', ')}`);
  return lines.map((line) => `${line}\n`).join('');
}
