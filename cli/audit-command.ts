import { type Command, oneOf, readOptions } from './command.ts';
import { ExitCode, UsageError } from './exit-code.ts';
import { HUB_HELP, HubClient, hubOptions } from './hub-client.ts';
import { count, counted, durationText, timeText } from './quantity.ts';
import { jsonText } from './query/answer-json.ts';
import { styled, type Terminal } from './terminal.ts';
import { textTable } from './text-table.ts';
import { parseRange } from './time-argument.ts';

export const auditCommand: Command = {
  name: 'audit',
  summary: 'what became of every sample, per cluster and hour',
  help: `Usage: cinderblock audit [options]

Of each cluster and hour:

  taken = dropped by agent + spooled + acknowledged + unaccounted

and lost by kernel, which was not taken; spooled is on disks of nodes, as their agents said last. Batches that are
missing, and that came twice. Then what is spooled for long, which agents are silent with samples on their disk, and
which disks are gone. Exit code 5 when anything is unaccounted.

  --from T --until T  hours that overlap that range (default now-24h to now)
  --cluster CLUSTER   only that one
  --stored            also count the samples in blocks, which reads them, and what waits to get there. Waiting are
                      also those that were deleted, are past their retention, or lie in damaged blocks
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

const METHOD = 'cinderblock.v1.QueryService/AuditLoss';
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Batches come this late without anything being wrong. */
const LATE_MS = HOUR_MS;
/** Most hours: each is read, and shown. */
const HOURS_MAX = 24 * 62;

/** Counts of an hour, in the words of the page. `stored` and `waiting` only where they were counted. */
const TITLES = {
  taken: 'taken',
  lostByKernel: 'lost by kernel',
  droppedByAgent: 'dropped by agent',
  spooled: 'spooled',
  acknowledged: 'acknowledged',
  stored: 'stored',
  waiting: 'waiting',
  unaccounted: 'unaccounted',
  missingBatches: 'missing batches',
  duplicateBatches: 'duplicate batches',
} as const;

type Field = keyof typeof TITLES;
type Counts = Partial<Record<Field, number>>;
type AuditHour = Counts & { readonly cluster: string; readonly hourMs: number };

/** A spool as of its last heartbeat. */
interface NodeSpool {
  readonly node: string;
  readonly lastSeenMs: number;
  readonly batches: number;
  readonly samples: number;
}

interface ClusterSpools {
  readonly cluster: string;
  readonly agents: number;
  readonly asOfMs?: number;
  readonly batches: number;
  readonly samples: number;
  readonly olderSamples: number;
  readonly unknownAgents: number;
  readonly silentAgents: number;
  readonly silent: readonly NodeSpool[];
  readonly gone: readonly NodeSpool[];
}

interface Audit {
  readonly hours: readonly AuditHour[];
  readonly spools: readonly ClusterSpools[];
  /** False when not all blocks could be read; absent unless they were asked for. */
  readonly storedComplete?: boolean;
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
  const audit = await readAudit(client, span, values, terminal);
  const total = totalOf(audit.hours);
  if (isJson) await terminal.write(jsonText({ ...span, ...audit, total }));
  else if (audit.hours.length === 0) terminal.note('no samples were taken in that time');
  else await terminal.write(auditText(audit, total, values.stored, terminal));
  return audit.hours.some(({ unaccounted }) => unaccounted !== 0) ? ExitCode.corrupt : ExitCode.ok;
}

function wholeHours({ start, end }: Span): Span {
  const hours = { start: Math.floor(start / HOUR_MS) * HOUR_MS, end: Math.ceil(end / HOUR_MS) * HOUR_MS };
  if (hours.end - hours.start <= HOURS_MAX * HOUR_MS) return hours;
  throw new UsageError(`--from and --until are more than ${HOURS_MAX / 24} days apart: ask for less at once`);
}

/** In one question; blocks are read a day at a time. */
async function readAudit(
  client: HubClient,
  { start, end }: Span,
  { cluster, stored }: { cluster?: string; stored: boolean },
  terminal: Terminal,
): Promise<Audit> {
  const hours: AuditHour[] = [];
  let spools: readonly ClusterSpools[] = [];
  let isComplete = true;
  const stepMs = stored ? DAY_MS : end - start;
  for (let from = start; from < end; from += stepMs) {
    terminal.progress(
      stored ? `counting what is stored of ${timeText(from)}` : 'reading what agents reported',
    );
    const span = { start: String(from), end: String(Math.min(end, from + stepMs)) };
    const request = { ...span, ...(cluster !== undefined && { cluster }), countStored: stored };
    const { answer } = await client.call(METHOD, request);
    hours.push(...list(answer.hours).map((hour) => hourOf(hour, stored)));
    spools = list(answer.spools).map(spoolsOf);
    isComplete &&= answer.storedComplete === true;
  }
  return { hours, spools, ...(stored && { storedComplete: isComplete }) };
}

function list(value: unknown): Record<string, unknown>[] {
  return (value ?? []) as Record<string, unknown>[];
}

/** Int64 fields are text, and those of 0 are absent. */
function numbers<Name extends string>(fields: Record<string, unknown>, names: readonly Name[]) {
  return Object.fromEntries(names.map((name) => [name, Number(fields[name] ?? 0)])) as Record<Name, number>;
}

function fieldsShown(stored: boolean): Field[] {
  const fields = Object.keys(TITLES) as Field[];
  return stored ? fields : fields.filter((field) => field !== 'stored' && field !== 'waiting');
}

function hourOf(hour: Record<string, unknown>, stored: boolean): AuditHour {
  return { cluster: String(hour.cluster), ...numbers(hour, ['hourMs', ...fieldsShown(stored)]) };
}

function spoolsOf(spools: Record<string, unknown>): ClusterSpools {
  const counts = ['agents', 'batches', 'samples', 'olderSamples', 'unknownAgents', 'silentAgents'] as const;
  return {
    cluster: String(spools.cluster),
    ...numbers(spools, counts),
    ...(spools.asOfMs !== undefined && { asOfMs: Number(spools.asOfMs) }),
    silent: list(spools.silent).map(nodeSpoolOf),
    gone: list(spools.gone).map(nodeSpoolOf),
  };
}

function nodeSpoolOf(spool: Record<string, unknown>): NodeSpool {
  return { node: String(spool.node), ...numbers(spool, ['lastSeenMs', 'batches', 'samples']) };
}

function totalOf(hours: readonly AuditHour[]): Counts {
  const total: Counts = {};
  for (const field of fieldsShown(hours.some(({ stored }) => stored !== undefined)))
    total[field] = hours.reduce((sum, hour) => sum + (hour[field] ?? 0), 0);
  return total;
}

function auditText(audit: Audit, total: Counts, stored: boolean, terminal: Terminal): string {
  const fields = fieldsShown(stored);
  const cells = (counts: Counts) => fields.map((field) => count(counts[field] ?? 0));
  const columns = [
    { title: 'hour' },
    { title: 'cluster' },
    ...fields.map((field) => ({ title: TITLES[field], align: 'right' as const })),
  ];
  const rows = audit.hours.map((hour) => [timeText(hour.hourMs), hour.cluster, ...cells(hour)]);
  rows.push(['total', '', ...cells(total)]);
  const lines = [
    verdictText(total, terminal),
    ...lateLines(audit.hours, terminal),
    ...audit.spools.flatMap((spools) => spoolLines(spools, terminal)),
  ];
  if (audit.storedComplete === false)
    lines.push(`${styled(terminal, 'yellow', 'stored')}: not all blocks could be read; there is more`);
  return `${textTable(columns, rows, terminal.width)}${lines.map((line) => `${line}\n`).join('')}`;
}

function verdictText({ unaccounted = 0 }: Counts, terminal: Terminal): string {
  if (unaccounted === 0) return `${styled(terminal, 'green', 'accounted')}: every sample that was taken`;
  return `${styled(terminal, 'red', 'unaccounted')}: ${counted(unaccounted, 'sample')}`;
}

/** What should have come by now, and waits on nodes. */
function lateLines(hours: readonly AuditHour[], terminal: Terminal): string[] {
  const isLate = ({ hourMs, spooled = 0 }: AuditHour) =>
    spooled > 0 && hourMs + HOUR_MS + LATE_MS <= terminal.now();
  return [...Map.groupBy(hours.filter(isLate), ({ cluster }) => cluster)].map(([cluster, late]) => {
    const samples = counted(totalOf(late).spooled ?? 0, 'sample');
    const oldest = timeText(Math.min(...late.map(({ hourMs }) => hourMs)));
    return warning(
      terminal,
      cluster,
      `${samples} of hours long over are still on nodes, the oldest of ${oldest}`,
    );
  });
}

function warning(terminal: Terminal, cluster: string, text: string): string {
  return `${styled(terminal, 'yellow', 'warning')}: ${cluster}: ${text}`;
}

/** How old what is said of spools is, and what there is to look after. */
function spoolLines(spools: ClusterSpools, terminal: Terminal): string[] {
  const { cluster, agents, asOfMs, batches, samples, olderSamples, unknownAgents, silentAgents } = spools;
  const lines: string[] = [];
  const age = (ms: number) => durationText(Math.max(0, terminal.now() - ms));
  if (asOfMs !== undefined) {
    const held = `${counted(samples, 'sample')} in ${counted(batches, 'batch', 'batches')}`;
    lines.push(
      `spools of ${cluster}: ${held} on ${counted(agents, 'node')}, heard of at most ${age(asOfMs)} ago`,
    );
  }
  const warn = (text: string) => lines.push(warning(terminal, cluster, text));
  if (silentAgents > 0) warn(`${counted(silentAgents, 'agent')} silent: what was heard last stands`);
  for (const { node, lastSeenMs, samples } of spools.silent)
    warn(`${node} was heard ${age(lastSeenMs)} ago, with ${counted(samples, 'sample')} on its disk`);
  for (const { node, lastSeenMs, samples } of spools.gone)
    warn(
      `${node} lost its spool: ${age(lastSeenMs)} ago it held ${counted(samples, 'sample')}; what did not arrive is unaccounted`,
    );
  if (olderSamples > 0)
    warn(`${counted(olderSamples, 'sample')} more wait on nodes, of hours that are not told`);
  if (unknownAgents > 0)
    warn(`what ${counted(unknownAgents, 'agent')} of an older version spooled is not known`);
  return lines;
}
