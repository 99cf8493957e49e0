import type { Month } from './figures.ts';
import { costBetween } from './simulated-cost.ts';
import type { YearResult } from './simulated-year.ts';

export type SimulationResult = YearResult & { days: number; scale: number; seed: number; seconds: number };

/** The figures of a run as Markdown tables. */
export function simulationReport(result: SimulationResult): string {
  const sections = [
    ['What ran', ran(result)],
    [
      'Blocks over time',
      table(['day', 'batches', ...resolutionColumns], result.figures.months.map(blocksRow)),
    ],
    [
      'Blocks at the end',
      table(['level', 'resolution', 'blocks', 'KB', 'bytes a sample'], holdingRows(result)),
    ],
    ['Compaction', table(STEP_HEADER, stepRows(result))],
    ['Largest job', largest(result)],
    ['Requests', table(['call', 'in all', 'per 1,000 batches'], callRows(result))],
    [
      'Modelled cost of the last whole month',
      table(['component', '$ a month', '$ per million batches', 'made of'], costRows(result)),
    ],
  ] as const;
  return sections.map(([title, text]) => `## ${title}\n\n${text}\n`).join('\n');
}

function ran({
  days,
  scale,
  seed,
  seconds,
  cpuSeconds,
  batches,
  samples,
  faults,
  deaths,
  errors,
  figures,
}: SimulationResult): string {
  const { outcomes, compared, orphans, expiredBlocks, failedJobs, skippedJobs } = figures;
  return [
    `${days} days, scale ${scale}, seed ${seed}: ${count(batches)} batches with ${count(samples)} samples, in ${seconds} s (${Math.round(cpuSeconds)} s of CPU).`,
    '',
    `- ${count(compared)} sums compared with what came: **0 were wrong**. The first wrong one would have ended the run.`,
    `- ${count(faults)} calls of storage failed, were repeated, or answered an error after they took effect; ${count(deaths)} processes died between two calls.`,
    `- ${count(outcomes.duplicate)} batches came again and were answered as duplicates, ${count(outcomes.failed)} sends failed, ${count(outcomes.refused)} batches were older than 72 h and refused.`,
    `- ${count(orphans)} objects without a row were swept, ${count(expiredBlocks)} blocks expired, ${failedJobs} jobs failed, ${skippedJobs} were left to others.`,
    `- ${errors.length} errors were logged by the hub.`,
  ].join('\n');
}

const RESOLUTIONS = [0, 300, 3600, 86_400];
const resolutionColumns = RESOLUTIONS.map(resolutionText).concat('all', 'MB');

function blocksRow({ days, batches, holdings }: Month): string[] {
  const blocks = RESOLUTIONS.map((seconds) =>
    sum(
      holdings
        .filter(({ resolutionSeconds }) => resolutionSeconds === seconds)
        .map((holding) => holding.blocks),
    ),
  );
  const bytes = sum(holdings.map((holding) => holding.bytes));
  return [days, count(batches), ...blocks, sum(blocks), (bytes / 1e6).toFixed(1)].map(String);
}

function holdingRows({ figures }: SimulationResult): string[][] {
  const { holdings } = figures.months.at(-1)!;
  return holdings.map(({ level, resolutionSeconds, blocks, bytes, samples }) => [
    ...[String(level), resolutionText(resolutionSeconds), count(blocks)],
    ...[count(bytes / 1000), (bytes / samples).toFixed(2)],
  ]);
}

const STEP_HEADER = [
  'step',
  'jobs',
  'blocks in',
  'blocks out',
  'MB in',
  'MB out',
  'samples',
  'MB a second of CPU',
  'samples a second of CPU',
];

function stepRows({ figures }: SimulationResult): string[][] {
  return Object.entries(figures.steps).map(
    ([step, { jobs, blocksIn, blocksOut, bytesIn, bytesOut, samples, cpuMs }]) => [
      ...[step, count(jobs), count(blocksIn), count(blocksOut)],
      ...[(bytesIn / 1e6).toFixed(1), (bytesOut / 1e6).toFixed(1), count(samples)],
      ...[(bytesIn / 1e3 / cpuMs).toFixed(2), count((samples / cpuMs) * 1000)],
    ],
  );
}

function largest({ peakRssBytes, figures }: SimulationResult): string {
  const { largestJobBytes, peakDatasetBytes, largestJobRssBytes } = figures;
  return (
    `Its inputs were ${count(largestJobBytes / 1000)} KB stored. The largest dataset that any job made was ${count(peakDatasetBytes / 1000)} KB unfolded. ` +
    `The process had ${mib(largestJobRssBytes)} resident after its largest job and ${mib(peakRssBytes)} at most, of which fleet, model and checks are most.`
  );
}

function callRows({ batches, figures }: SimulationResult): string[][] {
  const calls = Object.entries(figures.months.at(-1)!.calls).sort(([a], [b]) => (a < b ? -1 : 1));
  return calls.map(([call, times]) => [call, count(times), count((times / batches) * 1000)]);
}

function costRows({ figures }: SimulationResult): string[][] {
  const { months } = figures;
  // The last whole month: what ran after it only brought the end about.
  const last = months.length > 2 ? months.at(-2)! : months.at(-1)!;
  const before = months[months.indexOf(last) - 1];
  const perMillion = 1e6 / (last.batches - (before?.batches ?? 0));
  const { components, total } = costBetween(before, last);
  const rows = components.map(({ name, usd, basis }) => [
    name,
    usd.toFixed(4),
    (usd * perMillion).toFixed(2),
    basis,
  ]);
  return [
    ...rows,
    ['**all of these**', `**${total.toFixed(4)}**`, `**${(total * perMillion).toFixed(2)}**`, ''],
  ];
}

function resolutionText(seconds: number): string {
  if (seconds === 0) return 'raw';
  return seconds < 3600
    ? `${seconds / 60} min`
    : seconds < 86_400
      ? `${seconds / 3600} h`
      : `${seconds / 86_400} d`;
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function mib(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
