import { writeFile } from 'node:fs/promises';
import { foldedText } from '../core/flamegraph/folded.ts';
import { speedscopeText } from '../core/flamegraph/speedscope.ts';
import { CPU_PROFILE_TYPE, parseProfileType } from '../core/labels/profile-type.ts';
import type { Completeness } from '../core/query/completeness.ts';
import { type Command, oneOf, readOptions, wholeNumber } from './command.ts';
import { UsageError } from './exit-code.ts';
import { HUB_HELP, HubClient, hubOptions } from './hub-client.ts';
import { timeText } from './quantity.ts';
import { jsonText, treeJson } from './query/answer-json.ts';
import { completenessText } from './query/completeness-text.ts';
import { type AskedOptions, continueCommand } from './query/continue-command.ts';
import { folderSource } from './query/folder-source.ts';
import type { QuerySource, Selection, ServiceEntry } from './query/query-source.ts';
import { seriesText } from './query/series-text.ts';
import { serverSource } from './query/server-source.ts';
import { type TopOrder, topRows, topText } from './query/top-rows.ts';
import { treeText } from './query/tree-text.ts';
import type { Terminal } from './terminal.ts';
import { textTable } from './text-table.ts';
import { parseDuration, parseRange } from './time-argument.ts';

const VIEWS = ['flamegraph', 'top', 'series', 'labels', 'services'] as const;
type View = (typeof VIEWS)[number];

const OUTPUTS: Readonly<Record<View, readonly string[]>> = {
  flamegraph: ['text', 'json', 'pprof', 'folded', 'speedscope'],
  top: ['text', 'json'],
  series: ['text', 'json'],
  labels: ['text', 'json'],
  services: ['text', 'json'],
};

export const queryCommand: Command = {
  name: 'query',
  summary: 'ask a server, or a data folder, for profiles',
  help: `Usage: cinderblock query VIEW [options]

  flamegraph      the call tree: an indented tree with percentages, or a file for other tools
  top             functions by what they used themselves
  series          values over time
  labels [NAME]   label names, or the values of one
  services        services, their profile types, first and last seen

What to look at
  --type ID           profile type (default ${CPU_PROFILE_TYPE})
  --selector '{…}'    label selector, such as '{service_name="shop",pod=~"a.*"}' (default {}, everything)
  --from T --until T  range (default now-1h to now): now-30m, 2026-11-21T09:30:00Z, or digits since epoch (s, ms, µs, ns)

Where from
${HUB_HELP}
  --data DIR      a data folder, opened here; only while no server holds it

What to print
  --output FORMAT     text (default), json; flamegraph also pprof, folded, speedscope
  --file OUT          write the answer to a file
  --min-percent P     flamegraph: leave out what has less of the whole (default 0.5)
  --depth N           flamegraph: deepest level shown (default no limit)
  --limit N           top: functions shown (default 30)
  --sort self|total   top: order (default self)
  --points N          series: about so many steps (default 60)
  --step LENGTH       series: with --group-by, the step (default 1m)
  --group-by LABEL    series: a line per value of the label; repeat for more
`,
  run: runQuery,
};

const options = {
  ...hubOptions,
  data: { type: 'string' },
  type: { type: 'string', default: CPU_PROFILE_TYPE },
  selector: { type: 'string', default: '{}' },
  from: { type: 'string' },
  until: { type: 'string' },
  output: { type: 'string', default: 'text' },
  file: { type: 'string' },
  'min-percent': { type: 'string', default: '0.5' },
  depth: { type: 'string' },
  limit: { type: 'string', default: '30' },
  sort: { type: 'string', default: 'self' },
  points: { type: 'string', default: '60' },
  step: { type: 'string', default: '1m' },
  'group-by': { type: 'string', multiple: true },
} as const;

type Values = ReturnType<typeof readOptions<typeof options>>['values'];

/** A query that was understood, and where its answer goes. */
interface Query {
  readonly values: Values;
  readonly selection: Selection;
  /** The view and what it is of, as written. */
  readonly words: readonly string[];
  readonly label: string | undefined;
  readonly output: string;
  readonly source: QuerySource;
  readonly terminal: Terminal;
  readonly width: number;
}

async function runQuery(args: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals } = readOptions(args, options);
  const view = oneOf('the view', positionals[0] ?? '', VIEWS);
  if (positionals.length > (view === 'labels' ? 2 : 1))
    throw new UsageError(`"${positionals.at(-1)}" is one word too many`);
  const output = oneOf('--output', values.output, OUTPUTS[view]);
  if (output === 'pprof' && values.file === undefined && terminal.isInteractive) {
    throw new UsageError('pprof is binary: name a file with --file, or redirect the output');
  }
  const range = parseRange(values, terminal.now());
  const selection = { profileType: parseProfileType(values.type).id, selector: values.selector, ...range };
  const width = values.file === undefined ? terminal.width : Number.POSITIVE_INFINITY;
  const source = await openSource(values, terminal);
  const asked = { values, selection, words: positionals, label: positionals[1] };
  const query: Query = { ...asked, output, source, terminal, width };
  try {
    await ANSWERS[view](query);
  } finally {
    await source.close();
  }
  return 0;
}

async function openSource(values: Values, terminal: Terminal): Promise<QuerySource> {
  if (values.data === undefined) return serverSource(new HubClient(values, terminal));
  if (values.url !== undefined) throw new UsageError('--data and --url name two places to ask; choose one');
  return folderSource(values.data, terminal);
}

const ANSWERS: Readonly<Record<View, (query: Query) => Promise<void>>> = {
  flamegraph: answerFlamegraph,
  top: answerTop,
  series: answerSeries,
  labels: answerLabels,
  services: answerServices,
};

async function answerFlamegraph(query: Query): Promise<void> {
  const { selection, source, output, values, width } = query;
  if (output === 'pprof') {
    const { bytes, completeness } = await source.pprof(selection);
    return deliver(query, [bytes], completeness);
  }
  const minPercent = Number(values['min-percent']);
  if (!(minPercent >= 0 && minPercent <= 100)) throw new UsageError('--min-percent must be from 0 to 100');
  const depth = values.depth === undefined ? Number.POSITIVE_INFINITY : wholeNumber('--depth', values.depth);
  const answer = await source.tree(selection);
  const { tree, completeness } = answer;
  if (output === 'json') return deliver(query, treeJson(selection, answer));
  if (output === 'folded') return deliver(query, foldedText(tree), completeness);
  if (output === 'speedscope')
    return deliver(query, speedscopeText(tree, { name: titleOf(selection) }), completeness);
  const rows = tree.total[0] === 0 ? ['no samples\n'] : treeText(tree, { width, minPercent, depth });
  return deliver(query, rows, completeness);
}

async function answerTop(query: Query): Promise<void> {
  const { selection, source, output, values, width } = query;
  const order: TopOrder = oneOf('--sort', values.sort, ['self', 'total']);
  const limit = wholeNumber('--limit', values.limit, 1);
  const { tree, total, completeness } = await source.tree(selection);
  const rows = topRows(tree, order, limit);
  if (output === 'json') {
    return deliver(query, [
      jsonText({ ...selection, unit: tree.unit, total, completeness, functions: rows }),
    ]);
  }
  return deliver(query, [rows.length === 0 ? 'no samples\n' : topText(tree, rows, width)], completeness);
}

async function answerSeries(query: Query): Promise<void> {
  const { selection, output, width } = query;
  const { sampleUnit: unit } = parseProfileType(selection.profileType);
  const { stepMs, lines, completeness, ...range } = await readSeries(query);
  if (output === 'json') {
    const series = lines.map(({ labels, points }) => ({ labels: Object.fromEntries(labels), points }));
    return deliver(query, [jsonText({ ...selection, ...range, stepMs, unit, completeness, series })]);
  }
  const isEmpty = lines.every(({ points }) => points.length === 0);
  return deliver(query, [isEmpty ? 'no samples\n' : seriesText(lines, unit, width)], completeness);
}

/** Steps start at multiples of their length in both cases; a grouped range is widened to whole steps. */
async function readSeries({ selection, source, values }: Query) {
  const groupBy = values['group-by'] ?? [];
  if (groupBy.length === 0) {
    const { stepMs, line, completeness } = await source.timeline(
      selection,
      wholeNumber('--points', values.points, 1, 11_000),
    );
    return { stepMs, lines: [line], completeness };
  }
  const stepMs = parseDuration('--step', values.step);
  const start = Math.floor(selection.start / stepMs) * stepMs;
  const end = Math.ceil(selection.end / stepMs) * stepMs;
  const { lines, completeness } = await source.groupedSeries({ ...selection, start, end }, stepMs, groupBy);
  return { stepMs, lines, completeness, start, end };
}

async function answerLabels(query: Query): Promise<void> {
  const { selection, source, label, output, terminal } = query;
  const { selector, start, end } = selection;
  const { names, completeness } = await source.labels({ name: label, selector, start, end });
  if (completeness?.complete === false) for (const note of completeness.notes) terminal.note(`note: ${note}`);
  if (output === 'json') return deliver(query, [jsonText({ selector, start, end, label, names })]);
  return deliver(query, [names.map((name) => `${name}\n`).join('')]);
}

async function answerServices(query: Query): Promise<void> {
  const { selection, source, output, width } = query;
  const { start, end } = selection;
  const services = await source.services({ start, end });
  if (output === 'json')
    return deliver(query, [jsonText({ start, end, services: services.map(serviceJson) })]);
  const columns = ['service', 'first seen', 'last seen', 'clusters', 'profile types'].map((title) => ({
    title,
  }));
  const rows = services.flatMap(({ name, firstSeenMs, lastSeenMs, clusters, profileTypes }) =>
    profileTypes.map((profileType, i) => {
      const head = [name, timeText(firstSeenMs), timeText(lastSeenMs), clusters.join(' ')];
      return [...(i === 0 ? head : ['', '', '', '']), profileType];
    }),
  );
  return deliver(query, [rows.length === 0 ? 'no services\n' : textTable(columns, rows, width)]);
}

function serviceJson({ name, profileTypes, firstSeenMs, lastSeenMs, clusters }: ServiceEntry): ServiceEntry {
  return { name, profileTypes, firstSeenMs, lastSeenMs, clusters };
}

/** Writes an answer to where it shall go, and how complete it is: below text, else (unless JSON holds it) as a note. */
async function deliver(
  { values, selection, words, output, terminal }: Query,
  pieces: Iterable<string | Uint8Array>,
  completeness?: Completeness,
): Promise<void> {
  if (values.file === undefined) for (const piece of pieces) await terminal.write(piece);
  else await writeFile(values.file, pieces, { signal: terminal.signal });
  if (completeness !== undefined) {
    const goOn = (before: number) => continueCommand(words, changedOf(values), selection.start, before);
    const text = completenessText(completeness, terminal, goOn);
    if (output === 'text' && values.file === undefined) await terminal.write(`${text}\n`);
    else terminal.note(text);
  }
  if (values.file !== undefined) terminal.note(`wrote ${values.file}`);
}

/** The options that are not as they are without being written. */
function changedOf(values: Values): AskedOptions {
  const isDefault = ([name, value]: [string, unknown]) =>
    value === (options as Record<string, { default?: unknown }>)[name]?.default;
  return Object.fromEntries(Object.entries(values).filter((entry) => !isDefault(entry)));
}

function titleOf({ profileType, selector, start, end }: Selection): string {
  return `${profileType} ${selector} ${timeText(start)} to ${timeText(end)}`;
}
