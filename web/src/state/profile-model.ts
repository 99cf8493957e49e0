import { batch, computed, effect, signal } from '@preact/signals';
import { layoutFlame } from '../../../core/flamegraph/layout.ts';
import { combinedTotal, type TreeSides } from '../../../core/flamegraph/tree-sides.ts';
import type { SandwichAnswer, SearchAnswer, Shaped, Shaping, TableAnswer } from '../worker/messages.ts';
import { Superseded, TreeClient } from '../worker/tree-client.ts';
import {
  fetchTree,
  listServices,
  selectSplit,
  selectTimeline,
  type Timeline,
  type TimelineQuery,
  type TreeQuery,
} from './api.ts';
import { markMoment } from './moments.ts';
import { view } from './navigation.ts';
import { findPath, pathHash } from './path-hash.ts';
import { isCpuTime, sortProfileTypes } from './profile-type.ts';
import { resource } from './resource.ts';
import { selectorOf } from './selector.ts';
import { HEAT_MOST, SPLIT_MOST, splitTimeline } from './split.ts';
import { resolveRange, type Span } from './time-range.ts';
import type { Arrangement } from './view-state.ts';

// What the Explore and Diff pages show, derived from the view (the URL) and the clock.

const REFRESH_MS = 10_000;
const DAY_MS = 86_400_000;
/** A frozen tooltip holds the graph still. */
export const held = signal(false);
/** Now, as of the last refresh; ms since epoch. */
export const clock = signal(Date.now());

/** Counts the times that a person asked again: every panel then does, whatever its range. */
export const askedAgain = signal(0);

export function refresh(): void {
  askedAgain.value++;
  clock.value = Date.now();
}

export const isLive = computed(() => {
  const { live, range, page } = view.value;
  return page !== 'clusters' && live && range.kind === 'last';
});

/** A small graph of hot loops needs no 60 redraws a second; refreshes wait while the page is hidden or held. */
export function followClock(): void {
  setInterval(() => {
    const watching = document.visibilityState === 'visible' && !held.peek();
    if (watching && (isLive.peek() || view.peek().page === 'clusters')) clock.value = Date.now();
  }, REFRESH_MS);
}

/** Seconds are fine enough, and make equal requests equal. */
const toSecond = (ms: number) => Math.floor(ms / 1000) * 1000;
const now = computed(() => toSecond(clock.value));
const rangeText = computed(() => JSON.stringify(view.value.range));
const selectionText = computed(() => JSON.stringify(view.value.selection));

/** The outer range: what the timeline shows. */
export const outerSpan = computed<Span>(() => resolveRange(JSON.parse(rangeText.value), now.value));
/** What the flame graph shows: the brushed part, or all. */
export const shownSpan = computed<Span>(() =>
  selectionText.value === undefined ? outerSpan.value : JSON.parse(selectionText.value),
);

/** The other side's range of a diff. */
export const baselineSpan = computed<Span>(() => {
  const { range } = view.value.baseline;
  if (range.kind === 'between') return { start: range.start, end: range.end };
  const { start, end } = shownSpan.value;
  const earlier = range.kind === 'period' ? end - start : range.seconds * 1000;
  return { start: start - earlier, end: end - earlier };
});

/** Services change slowly, so they are asked for once a minute; while there are none, at every refresh. */
let servicesGrainMs = 1000;

export const services = resource(
  () => {
    if (view.value.page === 'clusters') return undefined;
    const end = Math.ceil(now.value / servicesGrainMs) * servicesGrainMs;
    // A day back, so that a service that has just gone quiet can still be picked.
    const start = Math.min(outerSpan.value.start, end - DAY_MS);
    return { start: Math.floor(start / 60_000) * 60_000, end, again: askedAgain.value };
  },
  async (span, abort) => {
    servicesGrainMs = 1000;
    const found = await listServices(span, abort);
    if (found.length > 0) servicesGrainMs = 60_000;
    return found;
  },
);

/** Profile types of the chosen service, or of all. */
export const profileTypes = computed(() => {
  const known = services.value.data ?? [];
  const { service } = view.value;
  const chosen = service === '' ? known : known.filter(({ name }) => name === service);
  return sortProfileTypes(chosen.flatMap((entry) => entry.profileTypes));
});

/** The chosen type, or the first that there is; '' while nothing is known. */
export const profileType = computed(() => view.value.profileType || (profileTypes.value[0] ?? ''));
export const isCpu = computed(() => isCpuTime(profileType.value));

const selector = computed(() => selectorOf(view.value.service, view.value.filters));
const baselineSelector = computed(() => {
  const { service, filters } = view.value.baseline;
  return selectorOf(service ?? view.value.service, filters ?? view.value.filters);
});

/** A query and how often it was asked by hand. */
type Asked<Q> = Q & { again: number };

const isProfilePage = computed(() => view.value.page !== 'clusters' && profileType.value !== '');

export const timeline = resource<Asked<TimelineQuery>, Timeline>(
  () =>
    isProfilePage.value
      ? {
          profileType: profileType.value,
          selector: selector.value,
          maxPoints: 240,
          ...outerSpan.value,
          again: askedAgain.value,
        }
      : undefined,
  selectTimeline,
);

export const baselineTimeline = resource<Asked<TimelineQuery>, Timeline>(
  () =>
    isProfilePage.value && view.value.page === 'diff'
      ? {
          profileType: profileType.value,
          selector: baselineSelector.value,
          maxPoints: 240,
          ...baselineSpan.value,
          again: askedAgain.value,
        }
      : undefined,
  selectTimeline,
);

function splitLimit(): number {
  return view.value.chart === 'heatmap' ? HEAT_MOST : SPLIT_MOST;
}

/** Series of the label that the timeline is split by, over the buckets of the timeline that is there. */
const labelSeries = resource(
  () => {
    const { page, split: label } = view.value;
    const { data, loading } = timeline.value;
    if (page !== 'explore' || label === '' || !data || loading || data.points.length === 0) return undefined;
    const { span, stepMs } = data;
    const asked = { ...span, stepMs, label, limit: splitLimit(), again: askedAgain.value };
    return { profileType: profileType.value, selector: selector.value, ...asked };
  },
  async (query, abort) => ({ query, series: await selectSplit(query, abort) }),
);

/** The timeline by label; undefined while the split is none, or not here yet. Its buckets are those of `timeline`. */
export const split = computed(() => {
  const { data } = timeline.value;
  const known = labelSeries.value.data;
  if (!data || !known || view.value.page !== 'explore') return undefined;
  const { label, stepMs, limit, selector: asked, profileType: type } = known.query;
  const isOfThis = label === view.value.split && stepMs === data.stepMs && limit === splitLimit();
  if (!isOfThis || asked !== selector.value || type !== profileType.value) return undefined;
  return splitTimeline(data, label, known.series);
});

export const splitError = computed(() =>
  view.value.split === '' ? undefined : labelSeries.value.error?.message,
);

/** The query behind the flame graph; of a diff, the earlier side with the later one in `compare`. */
export const treeQuery = computed<TreeQuery | undefined>(() => {
  if (!isProfilePage.value) return undefined;
  const later = { selector: selector.value, ...shownSpan.value };
  if (view.value.page === 'explore') return { profileType: profileType.value, ...later };
  return {
    profileType: profileType.value,
    selector: baselineSelector.value,
    ...baselineSpan.value,
    compare: later,
  };
});

export const isDiff = computed(() => view.value.page === 'diff');

const client = new TreeClient();
const order = computed(() => view.value.order ?? (isDiff.value ? 'name' : 'heavy'));
const reshapingText = computed(() => JSON.stringify({ steps: view.value.steps, order: order.value }));

/** The shape and everything else that is on show of it. */
function shaping(): Shaping {
  const { steps, search, arrangement, pivot: chosen } = view.peek();
  const withTable = hasTable(arrangement);
  return {
    steps,
    order: order.peek(),
    search,
    table: withTable,
    pivot: arrangement === 'sandwich' ? chosen : '',
  };
}

function hasTable(arrangement: Arrangement): boolean {
  return ['table', 'both', 'sandwich'].includes(arrangement);
}

/** The last tree that came. */
const latest = signal<Shaped | undefined>(undefined);
/** The tree on screen: old until the next is there, but never a diff on Explore or the reverse. */
export const shaped = computed(() => {
  const tree = latest.value;
  return tree !== undefined && (tree.right !== undefined) === isDiff.value ? tree : undefined;
});
/** Time with data in what is on screen, in ms; of a diff, on its later side. NaN until it is known. */
export const coveredMs = computed(() => {
  const header = shaped.value?.header;
  if (!header) return Number.NaN;
  return covered(header.right ?? header, header.right?.coveredMs ?? header.completeness.coveredMs);
});

/** The same for the baseline of a diff. */
export const baselineCoveredMs = computed(() => {
  const left = shaped.value?.header.left;
  return left ? covered(left, left.coveredMs) : Number.NaN;
});

/** Nothing is measured against all of the time that was asked for. */
function covered({ start, end }: Span, ms: number): number {
  return ms > 0 ? ms : end - start;
}

/** Row that the keyboard is on, shared by graph, tree and status line. */
export const selectedRow = signal(0);

/** Loading and errors of the tree; the tree itself is `shaped`. */
export const treeLoad = resource(
  () => treeQuery.value && { query: treeQuery.value, again: askedAgain.value },
  async ({ query }, abort) => {
    const bytes = await fetchTree(query, abort);
    markMoment('bytes');
    show(await client.ask({ kind: 'load', bytes, shaping: shaping() }));
    return query;
  },
);

function show(next: Shaped): void {
  const before = latest.peek();
  const row = selectedRow.peek();
  if (before && row > 0 && row < before.tree.nameOf.length) {
    selectedRow.value = Math.max(0, findPath(next.tree, pathHash(before.tree, row)));
  } else selectedRow.value = 0;
  batch(() => {
    latest.value = next;
    searchAnswer.value = next.search;
    if (next.table) tableAnswer.value = next.table;
    if (next.sandwich) sandwichAnswer.value = next.sandwich;
    reshapeError.value = '';
  });
}

export const reshapeError = signal('');

/** Whether siblings are in the order of their weight or name. */
export const siblingOrder = order;

/** Keeps shape, search, table and sandwich in step with the view. What came with the shape is not asked for again. */
export function followView(): void {
  effect(() => {
    reshapingText.value;
    if (latest.peek() === undefined) return;
    client.ask({ kind: 'reshape', shaping: shaping() }).then(show, report);
  });
  effect(() => {
    const text = searchText.value;
    const generation = shaped.value?.generation;
    const known = searchAnswer.peek();
    if (generation === undefined) return;
    if (text === '') searchAnswer.value = undefined;
    else if (known?.generation !== generation || known.text !== text) {
      client.ask({ kind: 'search', text }).then((answer) => (searchAnswer.value = answer), report);
    }
  });
  effect(() => {
    const generation = shaped.value?.generation;
    if (generation === undefined || !needsTable.value || tableAnswer.peek()?.generation === generation)
      return;
    client.ask({ kind: 'table' }).then((answer) => (tableAnswer.value = answer), report);
  });
  effect(() => {
    const name = pivot.value;
    const generation = shaped.value?.generation;
    const known = sandwichAnswer.peek();
    if (generation === undefined || name === '') return;
    if (known?.generation === generation && known.name === name) return;
    client
      .ask({ kind: 'sandwich', name, order: order.value })
      .then((answer) => (sandwichAnswer.value = answer), report);
  });
}

function report(error: Error): void {
  if (!(error instanceof Superseded)) reshapeError.value = error.message;
}

const searchText = computed(() => view.value.search);
const pivot = computed(() => (view.value.arrangement === 'sandwich' ? view.value.pivot : ''));
const needsTable = computed(() => hasTable(view.value.arrangement));
export const searchAnswer = signal<SearchAnswer | undefined>(undefined);
export const tableAnswer = signal<TableAnswer | undefined>(undefined);
export const sandwichAnswer = signal<SandwichAnswer | undefined>(undefined);

/** Matches per name of the tree on screen; undefined while nothing is searched or the answer is about an older tree. */
export const matched = computed(() => {
  const answer = searchAnswer.value;
  return answer?.ok && answer.generation === shaped.value?.generation ? answer.matched : undefined;
});

export const flameLayout = computed(
  () => shaped.value && layoutFlame(shaped.value.tree, widthsOf(shaped.value)),
);

/** Of one profile its totals. Of a diff, both sides together: as shares of each side, or as value per second with data. */
export function widthsOf(sides: TreeSides): Float64Array {
  const { tree, right } = sides;
  if (!right) return tree.total;
  const { left: a, right: b } = sideFactors.value;
  if (a === 0 && b === 0) return combinedTotal(sides);
  return tree.total.map((value, row) => value * a + right.total[row] * b);
}

/** What one unit of value is worth on each side, so that both can be compared. */
export const sideFactors = computed(() => {
  const current = shaped.value;
  if (!current?.right) return { left: 1, right: 1 };
  if (view.value.normalise === 'share') {
    return { left: inverse(current.whole.left), right: inverse(current.whole.right) };
  }
  return { left: 1000 / baselineCoveredMs.value, right: 1000 / coveredMs.value };
});

function inverse(value: number): number {
  return value > 0 ? 1 / value : 0;
}

/** Row of the zoomed frame; 0 is the whole graph, -1 says that this data has no such frame. */
export const zoomRow = computed(() => {
  const { zoom } = view.value;
  if (zoom === '' || shaped.value === undefined) return 0;
  return findPath(shaped.value.tree, zoom);
});
