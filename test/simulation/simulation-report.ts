import type { Month } from './figures.ts';
import type { JobCost } from './largest-job.ts';
import { costBetween } from './simulated-cost.ts';
import type { YearResult } from './simulated-year.ts';

export type SimulationResult = YearResult & {
  days: number;
  scale: number;
  seed: number;
  seconds: number;
  /** The largest job, done once more by a process of its own; absent until the end. */
  job?: JobCost;
};

/** The figures of a run as Markdown tables. */
export function simulationReport(result: SimulationResult): string {
  const { months } = result.figures;
  const sections = [
    ['What ran', ran(result)],
    ['What went wrong, and what was done', table(['what', 'times'], eventRows(result))],
    [
      'Blocks over time',
      `${table(['day', 'batches', ...resolutionColumns], months.map(blocksRow))}\n\n${chart(months)}`,
    ],
    [
      'Blocks at the end',
      table(['level', 'resolution', 'blocks', 'KB', 'bytes a sample'], holdingRows(result)),
    ],
    ['Compaction', table(STEP_HEADER, stepRows(result))],
    ['Largest job', largest(result)],
    ['Requests', `${table(REQUEST_HEADER, requestRows(result))}\n\n${table(CALL_HEADER, callRows(result))}`],
    [
      'Modelled cost of the last whole month',
      table(['component', '$ a month', '$ per million batches', 'made of'], costRows(result)),
    ],
  ] as const;
  return sections.map(([title, text]) => `## ${title}\n\n${text}\n`).join('\n');
}

function ran(result: SimulationResult): string {
  const { days, scale, seed, seconds, cpuSeconds, batches, samples, faults, deaths, errors, figures } =
    result;
  const { outcomes, compared, orphans, expiredBlocks, expiryJobs, failedJobs, damagedJobs } = figures;
  const { rewritten, deletionsDone, deletedSamples, skippedJobs, scrubbedBlocks, provenMs } = figures;
  const hours = [...provenMs].sort((a, b) => a - b).map((ms) => ms / 3_600_000);
  const damaged = errors.flatMap((text) => /^scrub: block (\S+) is/.exec(text)?.[1] ?? []);
  const others = errors.filter((text) => !damaged.some((id) => text.includes(id)));
  return [
    `${days} days, scale ${scale}, seed ${seed}: ${count(batches)} batches with ${count(samples)} samples, in ${seconds} s (${Math.round(cpuSeconds)} s of CPU).`,
    '',
    `- ${count(compared)} sums compared with what came: **0 were wrong**. The first wrong one would have ended the run.`,
    `- ${count(sum(Object.values(faults)))} calls of storage failed, were repeated, or answered an error after they took effect; ${count(deaths)} processes died between two calls.`,
    `- ${count(outcomes.duplicate)} batches came again and were answered as duplicates, ${count(outcomes.failed)} sends failed, ${count(outcomes.refused)} batches were older than 72 h and refused.`,
    `- ${count(hours.length)} deletions took ${count(deletedSamples)} samples out of answers at once. That no block holds any of them was proven after ${hour(hours[hours.length >> 1])} in the middle, ${hour(hours.at(-1))} at most; ${count(rewritten)} blocks were rewritten for it, ${count(deletionsDone)} deletions left force.`,
    `- Retention took ${count(expiredBlocks)} blocks whole, and services or clusters out of ${count(expiryJobs)} others.`,
    `- ${count(orphans)} objects without a row were swept, ${count(scrubbedBlocks)} blocks were scrubbed. ${count(damagedJobs)} jobs failed for a damaged block, ${failedJobs} for another reason; ${count(skippedJobs)} were left to others.`,
    `- ${count(errors.length - others.length)} errors were logged about blocks that were damaged, ${others.length} about anything else.`,
  ].join('\n');
}

function hour(hours = 0): string {
  return `${hours.toFixed(1)} h`;
}

function eventRows({ figures, faults, deaths }: SimulationResult): string[][] {
  const rows: [string, number][] = [
    ['calls of storage failed before they took effect', faults['fail-before'] ?? 0],
    ['calls of storage took effect and answered an error', faults['fail-after'] ?? 0],
    ['calls of storage were done twice', faults.duplicate ?? 0],
    ['processes died between two calls', deaths],
    ...Object.entries(figures.events).sort(([a], [b]) => (a < b ? -1 : 1)),
  ];
  return rows.map(([what, times]) => [what, count(times)]);
}

const CHART_WIDTH = 40;

/** Blocks and bytes at the end of each month as bars. */
function chart(months: readonly Month[]): string {
  const totals = months.map(({ days, holdings }) => ({
    days,
    blocks: sum(holdings.map((holding) => holding.blocks)),
    bytes: sum(holdings.map((holding) => holding.bytes)),
  }));
  const [mostBlocks, mostBytes] = [
    Math.max(...totals.map(({ blocks }) => blocks)),
    Math.max(...totals.map(({ bytes }) => bytes)),
  ];
  const bar = (value: number, most: number) => '#'.repeat(Math.round((value / most) * CHART_WIDTH));
  const lines = totals.map(({ days, blocks, bytes }) => {
    const [ofBlocks, ofBytes] = [bar(blocks, mostBlocks), bar(bytes, mostBytes)];
    return `${String(days).padStart(4)} ${ofBlocks.padEnd(CHART_WIDTH)} ${String(blocks).padStart(5)}  ${ofBytes.padEnd(CHART_WIDTH)} ${(bytes / 1e6).toFixed(1).padStart(5)}`;
  });
  const header = ` day ${'blocks'.padEnd(CHART_WIDTH + 8)}${'MB'}`;
  return ['```', header, ...lines, '```'].join('\n');
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

function largest({ peakRssBytes, figures, job }: SimulationResult): string {
  const { largestJobBytes, peakDatasetBytes } = figures;
  const inputs = `Its inputs were ${count(largestJobBytes / 1000)} KB stored. The largest dataset that any job made was ${count(peakDatasetBytes / 1000)} KB unfolded.`;
  const whole = `The process of the simulation had ${mib(peakRssBytes)} resident at most, of which objects, fleet, model and checks are most.`;
  if (job === undefined) return `${inputs} ${whole}`;
  const { residentBytesBefore, residentBytesMax, cpuMs, datasetBytes } = job;
  const more = residentBytesMax - residentBytesBefore;
  return `${inputs} Done once more by a process of its own, the job took ${mib(residentBytesMax)} resident at most: ${mib(residentBytesBefore)} of Node.js, its modules and SQLite, and ${mib(more)} for the job, whose largest dataset was ${count(datasetBytes / 1000)} KB; ${Math.round(cpuMs)} ms of CPU, compiling JavaScript included. ${whole}`;
}

/** Calls of ports as requests to AWS, by what is paid for. */
const REQUESTS: Readonly<Record<string, readonly string[]>> = {
  'S3 PUT': ['objects.put'],
  'S3 GET': ['objects.get', 'objects.getRange', 'objects.getTail'],
  'S3 LIST': ['objects.list'],
  'S3 DELETE': ['objects.delete'],
  'DynamoDB writes': [
    ...['catalog.publish', 'catalog.swap', 'catalog.forget', 'registry.recordBatch', 'registry.putSetting'],
    ...['leases.acquire', 'leases.renew', 'leases.release'],
  ],
  'DynamoDB reads': [
    ...['catalog.find', 'catalog.get', 'catalog.list', 'catalog.listDeletionMarks'],
    ...['registry.setting', 'registry.listBatchSequences'],
  ],
  SQS: ['queue.send', 'queue.receive', 'queue.acknowledge', 'queue.redrive'],
};

const REQUEST_HEADER = ['request', 'in all', 'in the last whole month', 'per 1,000 batches'];
const CALL_HEADER = ['call', 'in all', 'per 1,000 batches'];

function requestRows({ batches, figures }: SimulationResult): string[][] {
  const { last, before } = lastWholeMonth(figures.months);
  const callsOf = (month: Month | undefined, names: readonly string[]) =>
    sum(names.map((name) => month?.calls[name] ?? 0));
  return Object.entries(REQUESTS).map(([what, names]) => {
    const all = callsOf(figures.months.at(-1), names);
    const ofMonth = callsOf(last, names) - callsOf(before, names);
    return [what, count(all), count(ofMonth), count((all / batches) * 1000)];
  });
}

/** What ran after the last whole month only brought the end about. */
function lastWholeMonth(months: readonly Month[]): { last: Month; before: Month | undefined } {
  const last = months.length > 2 ? months.at(-2)! : months.at(-1)!;
  return { last, before: months[months.indexOf(last) - 1] };
}

function callRows({ batches, figures }: SimulationResult): string[][] {
  const calls = Object.entries(figures.months.at(-1)!.calls).sort(([a], [b]) => (a < b ? -1 : 1));
  return calls.map(([call, times]) => [call, count(times), count((times / batches) * 1000)]);
}

function costRows({ figures }: SimulationResult): string[][] {
  const { last, before } = lastWholeMonth(figures.months);
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
