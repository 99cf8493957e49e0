import assert from 'node:assert/strict';
import { test } from 'node:test';
import { topTable } from '../../../core/flamegraph/top-table.ts';
import { filterOptions } from '../../../web/src/parts/filter-options.ts';
import type { Agent } from '../../../web/src/state/api.ts';
import { spooledAsOf, spoolWarnings } from '../../../web/src/state/audit.ts';
import {
  agentHealth,
  clusterStanding,
  lastHeartbeat,
  sortAgents,
  sortClusters,
} from '../../../web/src/state/cluster-health.ts';
import { completenessFacts, completenessSummary } from '../../../web/src/state/completeness.ts';
import { nearestRange } from '../../../web/src/state/nearest-range.ts';
import { isCpuTime, profileTypeName, sortProfileTypes } from '../../../web/src/state/profile-type.ts';
import { actionOf, keyName, SHORTCUTS } from '../../../web/src/state/shortcuts.ts';
import { tableOrder } from '../../../web/src/state/table-rows.ts';
import { aHeader, treeOf } from '../../core/flamegraph/random-trees.ts';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';

test('profile types have human names, and CPU comes first', () => {
  assert.equal(profileTypeName(CPU), 'CPU');
  assert.equal(profileTypeName('memory:alloc_space:bytes:space:bytes'), 'Allocated memory');
  assert.equal(profileTypeName('custom:things:count::'), 'custom: things');
  assert.equal(isCpuTime('process_cpu:samples:count:cpu:nanoseconds'), false);
  assert.deepEqual(sortProfileTypes(['wall:wall:nanoseconds::', CPU, CPU]), [CPU, 'wall:wall:nanoseconds::']);
});

test('spools that are to be looked after are named, with how old what is known of them is', () => {
  const none = { olderSamples: 0, unknownAgents: 0, silentAgents: 0, silent: [], gone: [] };
  const well = { ...none, cluster: 'a', asOfMs: 5000 };
  assert.deepEqual(spoolWarnings([well], 9000), []);
  assert.equal(spooledAsOf([{ ...well, asOfMs: undefined }, well, { ...well, asOfMs: 7000 }]), 5000);
  assert.equal(spooledAsOf([]), undefined);
  const spool = (samples: number) => ({ node: 'n', lastSeenMs: 0, samples });
  const ill = { ...well, silentAgents: 2, silent: [spool(1)], gone: [spool(250)], olderSamples: 7 };
  assert.deepEqual(spoolWarnings([well, { ...ill, unknownAgents: 1 }], 3_600_000), [
    'a: 2 agents silent: what was heard last stands',
    'a: n was heard 60 min ago, with 1 sample on its disk',
    'a: n lost its spool: 60 min ago it held 250 samples; what did not arrive is unaccounted',
    'a: 7 samples more wait on nodes, of hours that are not told',
    'a: what 1 agent of an older version spooled is not known',
  ]);
});

test('every key belongs to one action', () => {
  const keys = SHORTCUTS.flatMap((shortcut) => shortcut.keys);
  assert.equal(new Set(keys).size, keys.length);
  assert.equal(new Set(SHORTCUTS.map(({ id }) => id)).size, SHORTCUTS.length);
  const press = (key: string, more = {}) =>
    actionOf({ key, shiftKey: false, ctrlKey: false, altKey: false, metaKey: false, ...more });
  assert.equal(press('i'), 'invert');
  assert.equal(press('F10', { shiftKey: true }), 'menu');
  assert.equal(press('C', { shiftKey: true }), 'collapse-module');
  assert.equal(press('c', { ctrlKey: true }), undefined);
  assert.deepEqual(['Shift+ArrowLeft', 'ArrowUp', '+', 'Home', 'Escape'].map(keyName), [
    'Shift+←',
    '↑',
    '+',
    'Home',
    'Esc',
  ]);
});

test('completeness in words', () => {
  const { completeness } = aHeader(treeOf([]));
  assert.equal(completenessSummary(completeness), 'Complete');
  const partial = {
    ...completeness,
    complete: false,
    missingBlocks: 1,
    corruptBlocks: 2,
    asideBlocks: 0,
    samples: 90,
    samplesLost: 10,
  };
  assert.equal(
    completenessSummary(partial),
    'Partial: 1 block missing, 2 blocks corrupt, 10.0 % of samples lost',
  );
  const header = {
    ...aHeader(treeOf([])),
    unit: 'count',
    scale: 1,
    nodes: 1,
    diff: false,
    completeness: partial,
  };
  const problems = completenessFacts(header, true).filter((fact) => fact.isProblem);
  assert.deepEqual(
    problems.map((fact) => fact.field),
    ['complete', 'samplesLost', 'missingBlocks', 'corruptBlocks'],
  );
  const cut = { ...completeness, complete: false, continueBefore: 30_000, resolutionSeconds: 300 };
  assert.equal(completenessSummary(cut), 'Partial: the newest part only');
  const said = (field: string) =>
    completenessFacts({ ...header, completeness: cut }, true).find((fact) => fact.field === field)?.value;
  assert.equal(said('continueBefore'), '1970-01-01 00:00:30');
  assert.equal(said('resolutionSeconds'), 'steps of up to 5m');
  assert.equal(said('coveredMs'), '60 s');
});

const agent: Agent = {
  node: 'n',
  bootId: 'b',
  version: '1',
  engine: 'perf',
  lastSeenMs: 1_000_000,
  lagMs: 1000,
  clockSkewMs: 0,
  samplesTaken: 1000,
  samplesLost: 0,
  samplesDropped: 0,
  samplesKept: 1000,
  spooledBatches: 0,
  spooledBytes: 0,
  rssBytes: 0,
  cpuPercent: 0,
  lastError: '',
};

const conditions: [string, Partial<Agent>][] = [
  ['good', {}],
  ['silent', { lastSeenMs: 600_000 }],
  ['failing', { lastError: 'refused' }],
  ['late', { lastSeenMs: 920_000 }],
  ['losing', { samplesLost: 6, samplesDropped: 5 }],
  ['behind', { lagMs: 200_000 }],
  ['clock', { clockSkewMs: -9000 }],
];

for (const [word, change] of conditions) {
  test(`an agent is ${word}`, () => assert.equal(agentHealth({ ...agent, ...change }, 1_000_000).word, word));
}

test('agents are listed worst first', () => {
  const agents = [
    agent,
    { ...agent, node: 'late', lastSeenMs: 920_000 },
    { ...agent, node: 'gone', lastSeenMs: 0 },
  ];
  assert.deepEqual(
    sortAgents(agents, 1_000_000).map(({ node }) => node),
    ['gone', 'late', 'n'],
  );
});

test('the nearest data is offered at the length that was asked for', () => {
  const service = { name: 's', profileTypes: [], clusters: [], firstSeenMs: 1000, lastSeenMs: 50_000 };
  assert.deepEqual(nearestRange([service], { start: 90_000, end: 100_000 }), { start: 41_000, end: 51_000 });
  assert.equal(
    nearestRange([service], { start: 40_000, end: 60_000 }),
    undefined,
    'there is data in the range',
  );
  assert.deepEqual(nearestRange([{ ...service, firstSeenMs: 30_000 }], { start: 0, end: 10_000 }), {
    start: 30_000,
    end: 40_000,
  });
  assert.equal(nearestRange([], { start: 0, end: 1 }), undefined);
});

test('the table sorts by any column, ties by name, and knows no root', () => {
  const tree = treeOf([
    { stack: ['a', 'b'], value: 5 },
    { stack: ['c'], value: 5 },
    { stack: ['a'], value: 1 },
  ]);
  const input = { tree, left: topTable(tree), factors: { left: 1, right: 1 }, matched: undefined };
  const names = (sort: 'name' | 'self' | 'total', ascending: boolean) =>
    [...tableOrder({ ...input, sort, ascending })].map((name) => tree.names[name]);
  assert.deepEqual(names('self', false), ['b', 'c', 'a']);
  assert.deepEqual(names('total', false), ['a', 'b', 'c']);
  assert.deepEqual(names('name', true), ['a', 'b', 'c']);
  const matched = Uint8Array.from(tree.names, (name) => (name === 'c' ? 1 : 0));
  assert.deepEqual([...tableOrder({ ...input, matched, sort: 'self', ascending: true })].length, 1);
});

test('options are found by every typed word, those that start with it first', () => {
  const options = ['search api', 'api search', 'payments'].map((label) => ({ value: label, label }));
  assert.deepEqual(
    filterOptions(options, 'api se').map(({ label }) => label),
    ['api search', 'search api'],
  );
  assert.equal(filterOptions(options, '').length, 3);
});

test('a cluster says what its status means, and those that should report come first', () => {
  const cluster = (id: string, status: string, agents: Agent[] = []) => ({
    id,
    displayName: '',
    status,
    agents,
  });
  assert.equal(clusterStanding(cluster('a', 'active')).consequence, '');
  assert.match(clusterStanding(cluster('a', 'disabled')).consequence, /refuses its batches/);
  assert.match(clusterStanding(cluster('a', 'removed')).consequence, /retention/);
  assert.equal(clusterStanding(cluster('a', 'moving')).word, 'moving', 'a status of a newer server stays');
  const all = [
    cluster('d', 'removed'),
    cluster('c', 'active'),
    cluster('b', 'disabled'),
    cluster('a', 'active'),
  ];
  assert.deepEqual(
    sortClusters(all).map(({ id }) => id),
    ['a', 'c', 'b', 'd'],
  );
  assert.equal(lastHeartbeat(cluster('a', 'active')), undefined);
  const older = { ...agent, lastSeenMs: 5 };
  assert.equal(lastHeartbeat(cluster('a', 'active', [older, agent])), agent.lastSeenMs);
});
