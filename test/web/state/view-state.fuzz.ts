import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Transform } from '../../../core/flamegraph/transforms.ts';
import type { LabelFilter, MatchOperator } from '../../../web/src/state/selector.ts';
import { DEFAULT_VIEW, type ViewState, viewFromUrl, viewToUrl } from '../../../web/src/state/view-state.ts';
import { forSeeds } from '../../core/flamegraph/random-trees.ts';

// Invariant: reading a URL that was written gives the view back, whatever its texts hold; any other URL gives a view.

type Random = () => number;
const pick = <T>(random: Random, list: readonly T[]): T => list[Math.floor(random() * list.length)];

const PIECES = [
  'a',
  'Z',
  '0',
  '=',
  '~',
  '!',
  '%',
  '&',
  '#',
  '?',
  '+',
  ' ',
  '/',
  '\\',
  '"',
  ':',
  ';',
  'é',
  '火',
  '😀',
  '\n',
  '<',
  '{',
  '}',
  ',',
  '.',
];

function someText(random: Random, least = 0): string {
  return Array.from({ length: least + Math.floor(random() * 8) }, () => pick(random, PIECES)).join('');
}

function someFilters(random: Random): LabelFilter[] {
  return Array.from({ length: Math.floor(random() * 4) }, () => ({
    name: someText(random, 1),
    operator: pick<MatchOperator>(random, ['=', '!=', '=~', '!~']),
    value: someText(random),
  }));
}

function someStep(random: Random): Transform {
  return pick<Transform>(random, [
    { kind: 'focus', name: someText(random) },
    { kind: 'hide', name: someText(random) },
    { kind: 'drop', name: someText(random) },
    { kind: 'collapse-module', module: someText(random) },
    { kind: 'collapse-recursion' },
    { kind: 'invert' },
  ]);
}

function someSpan(random: Random) {
  const start = Math.floor(random() * 2e12);
  return { start, end: start + 1 + Math.floor(random() * 1e9) };
}

function somePart(random: Random) {
  const x0 = Math.floor(random() * 900_000) / 1e6;
  return { x0, x1: Math.floor((x0 + 0.0001 + random() * (0.9999 - x0)) * 1e6) / 1e6 };
}

function someView(random: Random): ViewState {
  const sometimes = <T>(value: T) => (random() < 0.5 ? value : undefined);
  return {
    page: pick(random, ['explore', 'diff', 'clusters'] as const),
    profileType: pick(random, ['', 'process_cpu:cpu:nanoseconds:cpu:nanoseconds', someText(random)]),
    service: someText(random),
    filters: someFilters(random),
    range:
      random() < 0.5
        ? { kind: 'last', seconds: 1 + Math.floor(random() * 1e6) }
        : { kind: 'between', ...someSpan(random) },
    selection: sometimes(someSpan(random)),
    live: random() < 0.5,
    split: someText(random),
    chart: pick(random, ['bars', 'heatmap'] as const),
    baseline: {
      service: sometimes(someText(random)),
      filters: sometimes(someFilters(random)),
      range: pick(random, [
        { kind: 'period' } as const,
        { kind: 'earlier', seconds: 1 + Math.floor(random() * 1e6) } as const,
        { kind: 'between', ...someSpan(random) } as const,
      ]),
    },
    arrangement: pick(random, ['flame', 'table', 'both', 'sandwich', 'tree'] as const),
    search: someText(random),
    zoom: pick(random, ['', 'a1b2c3d4e5f6g7', '0']),
    part: sometimes(somePart(random)),
    pivot: someText(random),
    steps: Array.from({ length: Math.floor(random() * 4) }, () => someStep(random)),
    order: pick(random, ['name', 'heavy', undefined] as const),
    flipped: random() < 0.5,
    colour: pick(random, ['package', 'module', 'kind'] as const),
    normalise: pick(random, ['share', 'absolute'] as const),
    sort: pick(random, ['name', 'self', 'total', 'before', 'after', 'delta', undefined] as const),
    ascending: random() < 0.5,
  };
}

function readBack(view: ViewState): ViewState {
  const url = new URL(viewToUrl(view), 'https://example.test/some/prefix/');
  assert.ok(url.pathname.startsWith('/some/prefix/'));
  return viewFromUrl(url.pathname, url.search);
}

test('a view survives its URL', () => {
  forSeeds((random) => {
    const view = someView(random);
    assert.deepEqual(readBack(view), view);
  }, 500);
});

test('the default view has an empty query', () => assert.equal(viewToUrl(DEFAULT_VIEW), './'));

test('any URL gives a view, and what it gives survives', () => {
  const keys = [
    'type',
    'service',
    'f',
    'range',
    'sel',
    'live',
    'af',
    'arange',
    'view',
    'q',
    'zoom',
    'x',
    'do',
    'order',
    'sort',
    'split',
  ];
  forSeeds((random) => {
    const query = Array.from(
      { length: Math.floor(random() * 8) },
      () => `${pick(random, keys)}=${someText(random)}`,
    );
    const view = viewFromUrl(`/${someText(random)}`, `?${query.join('&')}`);
    assert.deepEqual(readBack(view), view);
  }, 300);
});
