import { bytesText, count, counted, durationText, timeText } from '../quantity.ts';
import { textTable } from '../text-table.ts';
import type { BlockReport } from './inspect-block.ts';

/** Batch ids shown before the rest is counted. */
const BATCHES_SHOWN = 10;

export function blockReportText(report: BlockReport, width: number): string {
  return [
    head(report),
    origin(report),
    datasets(report, width),
    sections(report, width),
    batches(report),
  ].join('');
}

function head({
  path,
  blockId,
  tenant,
  level,
  resolutionSeconds,
  bytes,
  minTime,
  maxTime,
  datasets,
}: BlockReport): string {
  const resolution = resolutionSeconds === 0 ? 'raw' : durationText(resolutionSeconds * 1000);
  return `block ${blockId}
  file        ${path}
  size        ${bytesText(bytes)} (${count(bytes)} bytes)
  tenant      ${tenant === '' ? '-' : tenant}
  level       ${level}, resolution ${resolution}
  time        ${timeText(minTime)} to ${timeText(maxTime)} (${durationText(maxTime - minTime)})
  datasets    ${count(datasets.length)}
`;
}

function origin({ origin }: BlockReport): string {
  if (origin === undefined) return '';
  const { cluster, node, bootId, sequence, engine, agentVersion, taken, lost, dropped, kept } = origin;
  return `  batch of    cluster ${cluster}, node ${node}, boot ${bootId}, number ${sequence}
  sampled by  ${engine} of agent ${agentVersion === '' ? 'unknown' : agentVersion}
  samples     taken ${count(taken)}, kept ${count(kept)}, dropped ${count(dropped)}, lost by the kernel ${count(lost)}
`;
}

function datasets({ datasets }: BlockReport, width: number): string {
  const rows = datasets.flatMap(({ service, seriesCount, types }) =>
    types.map(({ profileType, rows, samples, total, windows }) => [
      service,
      profileType,
      count(seriesCount),
      count(windows.count),
      windowLength(windows),
      count(rows),
      count(samples),
      String(total),
    ]),
  );
  const titles = ['service', 'profile type', 'series', 'windows', 'each', 'rows', 'samples', 'exact total'];
  return `\n${textTable(
    titles.map((title, i) => ({ title, align: i < 2 ? undefined : ('right' as const) })),
    rows,
    width,
  )}`;
}

function windowLength({ shortestMs, longestMs }: { shortestMs: number; longestMs: number }): string {
  if (shortestMs === longestMs) return durationText(longestMs);
  return `${durationText(shortestMs)} to ${durationText(longestMs)}`;
}

function sections({ datasets, batches, directoryBytes, bytes }: BlockReport, width: number): string {
  const line = (name: string, { offset, stored, raw }: { offset: number; stored: number; raw: number }) => [
    name,
    count(offset),
    count(stored),
    count(raw),
    `${((100 * stored) / bytes).toFixed(1)}%`,
  ];
  const rows = datasets
    .flatMap(({ service, series, symbols, types }) => [
      ...types.map(({ profileType, totals }) => ({
        name: `totals of ${service} ${profileType}`,
        at: totals,
      })),
      { name: `series of ${service}`, at: series },
      { name: `symbols of ${service}`, at: symbols },
      ...types.map(({ profileType, samplesSection }) => ({
        name: `samples of ${service} ${profileType}`,
        at: samplesSection,
      })),
    ])
    .concat({ name: 'batches', at: batches })
    .sort((a, b) => a.at.offset - b.at.offset)
    .map(({ name, at }) => line(name, at));
  const titles = ['section', 'offset', 'stored', 'raw', 'of the block'];
  const columns = titles.map((title, i) => ({ title, align: i === 0 ? undefined : ('right' as const) }));
  return `\n${textTable(columns, rows, width)}directory: ${count(directoryBytes)} bytes\n`;
}

function batches({ batchIds }: BlockReport): string {
  const shown = batchIds.slice(0, BATCHES_SHOWN).map((id) => `  ${id}\n`);
  const rest = batchIds.length - shown.length;
  return `\n${counted(batchIds.length, 'batch', 'batches')}\n${shown.join('')}${rest > 0 ? `  … ${count(rest)} more\n` : ''}`;
}
