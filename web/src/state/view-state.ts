import type { Transform } from '../../../core/flamegraph/transforms.ts';
import { type Part, partFromText, partToText } from './part.ts';
import { filterFromParam, filterToParam, type LabelFilter } from './selector.ts';
import {
  durationFromText,
  durationToText,
  rangeFromText,
  rangeToText,
  type Span,
  spanFromText,
  spanToText,
  type TimeRange,
} from './time-range.ts';

export type Page = 'explore' | 'diff' | 'clusters';
export type Arrangement = 'flame' | 'table' | 'both' | 'sandwich' | 'tree';
export type ColourMode = 'package' | 'module' | 'kind';
export type SortColumn = 'name' | 'self' | 'total' | 'before' | 'after' | 'delta';

/** The baseline of a diff: some time before the other side, or a range of its own. */
export type BaselineRange =
  | { kind: 'period' }
  | { kind: 'earlier'; seconds: number }
  | Extract<TimeRange, { kind: 'between' }>;

/** Everything that decides what is on screen. It is the URL; nothing of it lives elsewhere. */
export interface ViewState {
  page: Page;
  /** '' until chosen: the page then picks. */
  profileType: string;
  /** '' is all services. */
  service: string;
  filters: LabelFilter[];
  range: TimeRange;
  /** Part of the range that the flame graph shows; undefined is all of it. */
  selection: Span | undefined;
  live: boolean;
  /** Label that the timeline is split by; '' splits nothing. */
  split: string;
  /** How a split is drawn. */
  chart: 'bars' | 'heatmap';
  baseline: { service: string | undefined; filters: LabelFilter[] | undefined; range: BaselineRange };
  arrangement: Arrangement;
  search: string;
  /** Path hash of the zoomed frame, '' is the whole graph. */
  zoom: string;
  /** What of the width is on screen where that is not all of the zoomed frame. */
  part: Part | undefined;
  /** Function in the middle of the sandwich. */
  pivot: string;
  steps: Transform[];
  /** undefined: heavy for one profile, name for a diff. */
  order: 'name' | 'heavy' | undefined;
  flipped: boolean;
  colour: ColourMode;
  normalise: 'share' | 'absolute';
  sort: SortColumn | undefined;
  ascending: boolean;
}

export const DEFAULT_VIEW: ViewState = {
  page: 'explore',
  profileType: '',
  service: '',
  filters: [],
  range: { kind: 'last', seconds: 3600 },
  selection: undefined,
  live: true,
  split: '',
  chart: 'bars',
  baseline: { service: undefined, filters: undefined, range: { kind: 'period' } },
  arrangement: 'both',
  search: '',
  zoom: '',
  part: undefined,
  pivot: '',
  steps: [],
  order: undefined,
  flipped: false,
  colour: 'package',
  normalise: 'share',
  sort: undefined,
  ascending: false,
};

const PAGES: readonly Page[] = ['explore', 'diff', 'clusters'];
const ARRANGEMENTS: readonly Arrangement[] = ['flame', 'table', 'both', 'sandwich', 'tree'];
const COLOURS: readonly ColourMode[] = ['package', 'module', 'kind'];
const SORTS: readonly SortColumn[] = ['name', 'self', 'total', 'before', 'after', 'delta'];

/** Last part of the path and the query: "diff?service=api&range=1h". Defaults are left out. */
export function viewToUrl(view: ViewState): string {
  const params = viewToParams(view);
  const query = params.map(([key, value]) => `${key}=${encodeValue(value)}`).join('&');
  return `${view.page === 'explore' ? './' : view.page}${query === '' ? '' : `?${query}`}`;
}

function viewToParams(view: ViewState): [string, string][] {
  const params: [string, string][] = [];
  const put = (key: string, value: string | undefined, unless: string | undefined) => {
    if (value !== undefined && value !== unless) params.push([key, value]);
  };
  put('type', view.profileType, '');
  put('service', view.service, '');
  for (const filter of view.filters) put('f', filterToParam(filter), undefined);
  put('range', rangeToText(view.range), rangeToText(DEFAULT_VIEW.range));
  put('sel', view.selection && spanToText(view.selection), undefined);
  put('live', view.live ? 'on' : 'off', 'on');
  put('split', view.split, '');
  put('chart', view.chart, DEFAULT_VIEW.chart);
  put('aservice', view.baseline.service, undefined);
  if (view.baseline.filters?.length === 0) put('af', '', undefined);
  for (const filter of view.baseline.filters ?? []) put('af', filterToParam(filter), undefined);
  put('arange', baselineToText(view.baseline.range), 'period');
  put('view', view.arrangement, DEFAULT_VIEW.arrangement);
  put('q', view.search, '');
  put('zoom', view.zoom, '');
  put('x', view.part && partToText(view.part), undefined);
  put('fn', view.pivot, '');
  for (const step of view.steps) put('do', stepToText(step), undefined);
  put('order', view.order, undefined);
  put('flip', view.flipped ? '1' : undefined, undefined);
  put('colour', view.colour, DEFAULT_VIEW.colour);
  put('by', view.normalise, DEFAULT_VIEW.normalise);
  put('sort', view.sort, undefined);
  put('asc', view.ascending ? '1' : undefined, undefined);
  return params;
}

/** Readable where it may be: only what would end or change the query is escaped. */
function encodeValue(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(/%(3A|2F|2C|40|24|7C|3D)/g, decodeURIComponent);
}

/** Reads any URL; what is unknown or broken falls back to its default. */
export function viewFromUrl(path: string, query: string): ViewState {
  const params = new URLSearchParams(query);
  const text = (key: string) => params.get(key) ?? '';
  const oneOf = <T extends string>(key: string, values: readonly T[]) =>
    values.find((value) => value === params.get(key));
  const page = path.split('/').pop() ?? '';
  const baselineFilters = params.has('af') ? readFilters(params.getAll('af')) : undefined;
  return {
    page: PAGES.find((name) => name === page) ?? 'explore',
    profileType: text('type'),
    service: text('service'),
    filters: readFilters(params.getAll('f')),
    range: rangeFromText(text('range')) ?? DEFAULT_VIEW.range,
    selection: spanFromText(text('sel')),
    live: params.get('live') !== 'off',
    split: text('split'),
    chart: oneOf('chart', ['bars', 'heatmap'] as const) ?? DEFAULT_VIEW.chart,
    baseline: {
      service: params.get('aservice') ?? undefined,
      filters: baselineFilters,
      range: baselineFromText(text('arange')),
    },
    arrangement: oneOf('view', ARRANGEMENTS) ?? DEFAULT_VIEW.arrangement,
    search: text('q'),
    zoom: /^[0-9a-z]{1,16}$/.test(text('zoom')) ? text('zoom') : '',
    part: partFromText(text('x')),
    pivot: text('fn'),
    steps: params.getAll('do').flatMap((step) => stepFromText(step) ?? []),
    order: oneOf('order', ['name', 'heavy'] as const),
    flipped: params.get('flip') === '1',
    colour: oneOf('colour', COLOURS) ?? DEFAULT_VIEW.colour,
    normalise: oneOf('by', ['share', 'absolute'] as const) ?? DEFAULT_VIEW.normalise,
    sort: oneOf('sort', SORTS),
    ascending: params.get('asc') === '1',
  };
}

function readFilters(texts: string[]): LabelFilter[] {
  return texts.flatMap((text) => filterFromParam(text) ?? []);
}

function baselineToText(range: BaselineRange): string {
  if (range.kind === 'period') return 'period';
  return range.kind === 'earlier' ? `-${durationToText(range.seconds)}` : spanToText(range);
}

function baselineFromText(text: string): BaselineRange {
  const seconds = text.startsWith('-') ? durationFromText(text.slice(1)) : undefined;
  if (seconds !== undefined) return { kind: 'earlier', seconds };
  const span = spanFromText(text);
  return span ? { kind: 'between', ...span } : { kind: 'period' };
}

/** "hide:runtime.futex", "invert". */
export function stepToText(step: Transform): string {
  if ('name' in step) return `${step.kind}:${step.name}`;
  if ('module' in step) return `${step.kind}:${step.module}`;
  return step.kind;
}

export function stepFromText(text: string): Transform | undefined {
  const colon = text.indexOf(':');
  const kind = colon < 0 ? text : text.slice(0, colon);
  const rest = colon < 0 ? '' : text.slice(colon + 1);
  switch (kind) {
    case 'focus':
    case 'hide':
    case 'drop':
      return colon < 0 ? undefined : { kind, name: rest };
    case 'collapse-module':
      return colon < 0 ? undefined : { kind, module: rest };
    case 'collapse-recursion':
    case 'invert':
      return { kind };
    default:
      return undefined;
  }
}
