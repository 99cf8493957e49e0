import { CLUSTER } from '../core/labels/labels.ts';
import { formatSelector } from '../core/labels/selector.ts';
import { type Command, oneOf, readOptions } from './command.ts';
import { ExitCode, UsageError } from './exit-code.ts';
import { HUB_HELP, HubClient, hubOptions } from './hub-client.ts';
import { count, counted, timeText } from './quantity.ts';
import { jsonText } from './query/answer-json.ts';
import { styled, type Terminal } from './terminal.ts';
import { textTable } from './text-table.ts';
import { parseRange } from './time-argument.ts';

export const auditCommand: Command = {
  name: 'audit',
  summary: 'what became of every sample, per cluster and hour',
  help: `Usage: cinderblock audit [options]

Of each cluster and hour: samples taken, lost by the kernel (not part of those), dropped by agents, acknowledged by the
hub, and unaccounted, which is what was taken and is neither dropped nor acknowledged; batches that are missing, and
that came twice. Exit code 5 when samples of an hour are unaccounted that ended an hour ago or longer; later ones may
still come.

  --from T --until T  hours that overlap that range (default now-24h to now)
  --cluster CLUSTER   only that one
  --stored            also count the samples in blocks: what answers can be made of. What was deleted, is past its
                      retention or damaged is less; a batch over two hours counts in the blocks in both
  --output FORMAT     text (default) or json
${HUB_HELP}
`,
  run: runAudit,
};

const options = {
  ...hubOptions,
  from: { type: 'string', default: 'now-24h' },
  until: { type: 'string' },
  cluster: { type: 'string' },
  stored: { type: 'boolean', default: false },
  output: { type: 'string', default: 'text' },
} as const;

const OURS = 'cinderblock.v1.QueryService';
const HOUR_MS = 3_600_000;
/** Batches come this late without anything being wrong. */
const LATE_MS = HOUR_MS;
/** Most hours: each is read, and shown. */
const HOURS_MAX = 24 * 62;

/** What became of the samples of a cluster in an hour. */
interface AuditHour {
  readonly cluster: string;
  readonly hourMs: number;
  readonly taken: number;
  readonly lostByKernel: number;
  readonly droppedByAgent: number;
  readonly acknowledged: number;
  /** Samples in blocks; absent unless they were counted. */
  readonly stored?: number;
  readonly unaccounted: number;
  readonly missingBatches: number;
  readonly duplicateBatches: number;
}

interface Span {
  readonly start: number;
  readonly end: number;
}

async function runAudit(args: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals } = readOptions(args, options);
  if (positionals.length > 0) throw new UsageError(`"${positionals[0]}" is one word too many`);
  const isJson = oneOf('--output', values.output, ['text', 'json']) === 'json';
  const span = wholeHours(parseRange(values, terminal.now()));
  const client = new HubClient(values, terminal);
  terminal.progress('reading what agents reported');
  const reported = await reportedHours(client, span, values.cluster);
  const hours = values.stored ? await withStored(client, span, reported, terminal) : reported;
  const overdue = hours.filter((hour) => hour.unaccounted > 0 && isOver(hour, terminal.now()));
  if (isJson) await terminal.write(jsonText({ ...span, hours, total: totalOf(hours) }));
  else if (hours.length === 0) terminal.note('no samples were taken in that time');
  else await terminal.write(auditText(hours, values.stored, terminal));
  return overdue.length > 0 ? ExitCode.corrupt : ExitCode.ok;
}

function wholeHours({ start, end }: Span): Span {
  const hours = { start: Math.floor(start / HOUR_MS) * HOUR_MS, end: Math.ceil(end / HOUR_MS) * HOUR_MS };
  if (hours.end - hours.start <= HOURS_MAX * HOUR_MS) return hours;
  throw new UsageError(`--from and --until are more than ${HOURS_MAX / 24} days apart: ask for less at once`);
}

async function reportedHours(
  client: HubClient,
  { start, end }: Span,
  cluster: string | undefined,
): Promise<AuditHour[]> {
  const request = { start: String(start), end: String(end), ...(cluster !== undefined && { cluster }) };
  const { answer } = await client.call(`${OURS}/AuditLoss`, request);
  return ((answer.hours ?? []) as Record<string, unknown>[]).map((hour) => {
    const number = (field: string) => Number(hour[field] ?? 0);
    const [taken, droppedByAgent, acknowledged] = [
      number('taken'),
      number('droppedByAgent'),
      number('stored'),
    ];
    return {
      cluster: String(hour.cluster),
      hourMs: number('hourMs'),
      taken,
      lostByKernel: number('lostByKernel'),
      droppedByAgent,
      acknowledged,
      unaccounted: Math.max(0, taken - droppedByAgent - acknowledged),
      missingBatches: number('missingBatches'),
      duplicateBatches: number('duplicateBatches'),
    };
  });
}

function isOver({ hourMs }: AuditHour, now: number): boolean {
  return hourMs + HOUR_MS + LATE_MS <= now;
}

/** Samples in blocks, by hour, of all profile types that there are. */
async function withStored(
  client: HubClient,
  span: Span,
  hours: readonly AuditHour[],
  terminal: Terminal,
): Promise<AuditHour[]> {
  const clusters = [...new Set(hours.map(({ cluster }) => cluster))];
  const types = await profileTypes(client, span);
  const stored = new Map<string, number>();
  for (const cluster of clusters) {
    for (const profileType of types) {
      terminal.progress(`counting what is stored of ${cluster}: ${profileType}`);
      for (const [hour, samples] of await storedHours(client, span, cluster, profileType)) {
        const key = `${hour} ${cluster}`;
        stored.set(key, (stored.get(key) ?? 0) + samples);
      }
    }
  }
  return hours.map((hour) => ({ ...hour, stored: stored.get(`${hour.hourMs} ${hour.cluster}`) ?? 0 }));
}

async function profileTypes(client: HubClient, { start, end }: Span): Promise<string[]> {
  const { answer } = await client.call(`${OURS}/ListServices`, { start: String(start), end: String(end) });
  const services = (answer.services ?? []) as { readonly profileTypes?: readonly string[] }[];
  return [...new Set(services.flatMap((service) => service.profileTypes ?? []))].sort();
}

/** Day by day: a point of a timeline is an hour when there are 24 of them. */
async function storedHours(
  client: HubClient,
  span: Span,
  cluster: string,
  profileType: string,
): Promise<Map<number, number>> {
  const selector = formatSelector([{ name: CLUSTER, op: '=', value: cluster }]);
  const hours = new Map<number, number>();
  for (let start = span.start; start < span.end; start += 24 * HOUR_MS) {
    const end = Math.min(span.end, start + 24 * HOUR_MS);
    const maxPoints = (end - start) / HOUR_MS;
    const request = { profileType, selector, start: String(start), end: String(end), maxPoints };
    const { answer } = await client.call(`${OURS}/SelectTimeline`, request);
    for (const point of (answer.points ?? []) as Record<string, unknown>[]) {
      const hour = Math.floor(Number(point.timeMs ?? 0) / HOUR_MS) * HOUR_MS;
      hours.set(hour, (hours.get(hour) ?? 0) + Number(point.samples ?? 0));
    }
  }
  return hours;
}

type Counts = Omit<AuditHour, 'cluster' | 'hourMs'>;

function totalOf(hours: readonly AuditHour[]): Counts {
  const sum = (field: keyof Counts) => hours.reduce((total, hour) => total + (hour[field] ?? 0), 0);
  return {
    taken: sum('taken'),
    lostByKernel: sum('lostByKernel'),
    droppedByAgent: sum('droppedByAgent'),
    acknowledged: sum('acknowledged'),
    ...(hours.some(({ stored }) => stored !== undefined) && { stored: sum('stored') }),
    unaccounted: sum('unaccounted'),
    missingBatches: sum('missingBatches'),
    duplicateBatches: sum('duplicateBatches'),
  };
}

/** The page's audit has the same columns, in the same words. */
const TITLES: Readonly<Record<keyof Counts, string>> = {
  taken: 'taken',
  lostByKernel: 'lost by kernel',
  droppedByAgent: 'dropped by agent',
  acknowledged: 'acknowledged',
  stored: 'stored',
  unaccounted: 'unaccounted',
  missingBatches: 'missing batches',
  duplicateBatches: 'duplicate batches',
};

function auditText(hours: readonly AuditHour[], withStored: boolean, terminal: Terminal): string {
  const fields = (Object.keys(TITLES) as (keyof Counts)[]).filter(
    (field) => withStored || field !== 'stored',
  );
  const cells = (counts: Counts) => fields.map((field) => count(counts[field] ?? 0));
  const columns = [
    { title: 'hour' },
    { title: 'cluster' },
    ...fields.map((field) => ({ title: TITLES[field], align: 'right' as const })),
  ];
  const rows = hours.map((hour) => [timeText(hour.hourMs), hour.cluster, ...cells(hour)]);
  const total = totalOf(hours);
  rows.push(['total', '', ...cells(total)]);
  return `${textTable(columns, rows, terminal.width)}${verdictText(hours, total, terminal)}\n`;
}

function verdictText(hours: readonly AuditHour[], total: Counts, terminal: Terminal): string {
  if (total.unaccounted === 0)
    return `${styled(terminal, 'green', 'accounted')}: every sample that was taken`;
  const text = `${styled(terminal, 'red', 'unaccounted')}: ${counted(total.unaccounted, 'sample')}`;
  const mayCome = hours.filter((hour) => hour.unaccounted > 0 && !isOver(hour, terminal.now()));
  const late = mayCome.reduce((sum, hour) => sum + hour.unaccounted, 0);
  return late > 0 ? `${text}, of which ${count(late)} may still come` : text;
}
