import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { CallTree } from '../../core/flamegraph/call-tree.ts';
import { CallTreeBuilder } from '../../core/flamegraph/call-tree-builder.ts';
import { diffTrees } from '../../core/flamegraph/diff.ts';
import { encodeTree } from '../../core/flamegraph/tree-codec.ts';
import type { TreeHeader } from '../../core/flamegraph/tree-header.ts';
import { sidesOfDiff } from '../../core/flamegraph/tree-sides.ts';
import type { Completeness } from '../../core/query/completeness.ts';
import { builtPage } from './built-page.ts';
import { deepTree, syntheticTree } from './synthetic-tree.ts';

/**
 * The HTTP contract over made-up data, for the page's own tests and for work on it without a server. What it answers
 * is decided by `mode` and `nodes`, which a test may change at any time.
 */
export interface FakeApi {
  url: string;
  mode: FakeMode;
  nodes: number;
  /** Paths with query that were asked for, oldest first. */
  requests: string[];
  /** What config.json says; unset, the built one is served. */
  config?: object;
  /** HTTP status for a request to the API with this Authorization header; unset, everyone may. */
  admit?: (authorization: string | undefined) => number;
  close(): Promise<void>;
}

export type FakeMode = 'data' | 'started' | 'empty' | 'other-range' | 'error' | 'partial' | 'cut' | 'deep';

const CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds';
const ALLOC = 'memory:alloc_space:bytes:space:bytes';
const HOUR = 3_600_000;
/** How long there has been data in mode 'started'. */
const STARTED_MS = 600_000;
/** Shares of the range between which there is no data. */
const GAP = { start: 0.62, end: 0.68 };
/** As a host with sign-in sends it: the page may also talk to its provider. */
const CSP =
  "default-src 'self'; style-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; connect-src 'self' http://127.0.0.1:*";

export async function startFakeApi({
  nodes = 20_000,
  port = 0,
  mode = 'data' as FakeMode,
} = {}): Promise<FakeApi> {
  await builtPage();
  const trees = new Map<string, CallTree>();
  const fake: FakeApi = { url: '', mode, nodes, requests: [], close: () => closeServer(server) };
  const server = createServer((request, response) => {
    answer(fake, trees, request, response).catch((error) => {
      fail(response, 500, 'internal', String(error));
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  fake.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return fake;
}

function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve, reject) => server.close((error) => (error ? reject(error) : resolve())));
}

type Trees = Map<string, CallTree>;

async function answer(fake: FakeApi, trees: Trees, request: IncomingMessage, response: ServerResponse) {
  const url = new URL(request.url!, fake.url);
  fake.requests.push(url.pathname + url.search);
  if (url.pathname === '/config.json' && fake.config) return json(response, fake.config);
  if (request.method === 'POST' || url.pathname.startsWith('/v1/')) {
    const status = fake.admit?.(request.headers.authorization) ?? 200;
    if (status !== 200) return refuse(response, status);
  }
  if (url.pathname === '/v1/tree') return answerTree(fake, trees, url.searchParams, response);
  if (url.pathname === '/v1/export') {
    response.writeHead(200, {
      'Content-Type': 'text/plain',
      'Content-Disposition': 'attachment; filename="stacks.txt"',
    });
    return response.end('main 1\n');
  }
  if (request.method === 'POST') return answerPost(fake, url.pathname, await readJson(request), response);
  return answerFile(url.pathname, response);
}

async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = '';
  for await (const piece of request) text += piece;
  return JSON.parse(text || '{}');
}

function answerPost(fake: FakeApi, path: string, body: Record<string, unknown>, response: ServerResponse) {
  const method = path.split('/').pop()!;
  if (fake.mode === 'error') return fail(response, 503, 'unavailable', 'The catalog is being rebuilt.');
  const start = Number(body.start ?? 0);
  const end = Number(body.end ?? 0);
  switch (method) {
    case 'ListServices':
      return json(response, { services: services(fake, end) });
    case 'SelectTimeline':
      return json(response, timeline(fake, start, end, Number(body.maxPoints ?? 240)));
    case 'SelectSeries':
      return json(response, { series: labelSeries(start, end, body) });
    case 'ListClusters':
      return json(response, clusters(fake));
    case 'AuditLoss':
      return json(response, audit(fake, end));
    case 'LabelNames':
      return json(response, {
        names: ['__profile_type__', 'cluster', 'namespace', 'node', 'pod', 'service_name'],
      });
    case 'LabelValues':
      return json(response, { names: [1, 2, 3].map((i) => `${body.name}-${i}`) });
    default:
      return fail(response, 404, 'unimplemented', `no method ${method}`);
  }
}

function services(fake: FakeApi, end: number) {
  if (fake.mode === 'empty') return [];
  const lastSeenMs = String(fake.mode === 'other-range' ? end - 30 * HOUR : end - 4000);
  const firstSeenMs = String(end - 40 * HOUR);
  return ['payments', 'search', 'checkout', 'postgres', 'node-agent'].map((name, i) => ({
    name,
    profileTypes: i < 3 ? [CPU, ALLOC] : [CPU],
    firstSeenMs,
    lastSeenMs,
    clusters: ['local'],
  }));
}

function timeline(fake: FakeApi, start: number, end: number, maxPoints: number) {
  const steps = [10, 15, 30, 60, 120, 300, 600, 1800, 3600, 10_800].map((seconds) => seconds * 1000);
  const stepMs = steps.find((step) => (end - start) / step <= maxPoints) ?? 10_800_000;
  const points: object[] = [];
  const isEmpty = fake.mode === 'empty' || fake.mode === 'other-range';
  for (let time = Math.floor(start / stepMs) * stepMs; time < end && !isEmpty; time += stepMs) {
    const part = (time - start) / (end - start);
    if (fake.mode === 'started' && time + stepMs <= end - STARTED_MS) continue;
    if (part > GAP.start && part < GAP.end) continue;
    const cores =
      3.1 + Math.sin(time / stepMs / 9) * 0.8 + Math.sin(time / stepMs / 2.3) * 0.3 + (part > 0.8 ? 1.4 : 0);
    const windows = Math.max(1, stepMs / 10_000);
    points.push({
      timeMs: String(time),
      value: cores * stepMs * 1e6,
      samples: String(Math.round((cores * stepMs) / 53)),
      windows: String(windows),
      least: ((cores * stepMs) / windows) * 0.4e6,
      most: ((cores * stepMs) / windows) * 1.5e6,
    });
  }
  return {
    stepMs: String(stepMs),
    unit: 'nanoseconds',
    points,
    completeness: completeness(fake, { start, end }),
  };
}

/** Thirty values of any label, each with less than the one before and at times of its own; as many as the limit says. */
function labelSeries(start: number, end: number, body: Record<string, unknown>) {
  const [name] = body.groupBy as string[];
  const stepMs = Number(body.step) * 1000;
  const times = Array.from({ length: Math.floor((end - start) / stepMs) + 1 }, (_, i) => start + i * stepMs);
  return Array.from({ length: Math.min(30, Number(body.limit ?? 30)) }, (_, i) => ({
    labels: [{ name, value: `${name}-${i + 1}` }],
    points: times.map((timestamp) => ({
      timestamp: String(timestamp),
      value: (1.2 / 1.6 ** i) * (1 + Math.sin(timestamp / 7e5 + i)) * stepMs * 1e6,
    })),
  }));
}

/** In mode 'cut' the older half of whatever is asked for is left out. */
function completeness(fake: FakeApi, { start, end }: { start: number; end: number }): Completeness {
  const partial = fake.mode === 'partial';
  const cut = fake.mode === 'cut';
  return {
    complete: !partial && !cut,
    blocksRead: 42,
    bytesRead: 3_400_000,
    missingBlocks: partial ? 2 : 0,
    corruptBlocks: partial ? 1 : 0,
    asideBlocks: 0,
    samples: 214_503,
    samplesLost: partial ? 3120 : 0,
    lagMs: 12_400,
    resolutionSeconds: 300,
    coveredMs: coveredMs(fake, { start, end }),
    ...(cut && { continueBefore: (start + end) / 2 }),
    notes: partial ? ['block 01HZX2 is quarantined: checksum of section symbols'] : [],
  };
}

function coveredMs(fake: FakeApi, { start, end }: { start: number; end: number }): number {
  return fake.mode === 'started'
    ? Math.min(STARTED_MS, end - start)
    : (end - start) * (1 - GAP.end + GAP.start);
}

function agent(node: string, change: object) {
  const now = Date.now();
  return {
    node,
    bootId: `${node}-boot`,
    version: '0.1.0',
    engine: 'perf',
    lastSeenMs: String(now - 6000),
    lagMs: '9000',
    clockSkewMs: '40',
    samplesTaken: '184220',
    samplesLost: '12',
    samplesDropped: '0',
    samplesKept: '184208',
    spooledBatches: '0',
    spooledBytes: '0',
    rssBytes: '71000000',
    cpuPercent: 0.42,
    lastError: '',
    ...change,
  };
}

function clusters(fake: FakeApi) {
  if (fake.mode === 'empty') return { clusters: [], nowMs: String(Date.now()) };
  const agents = [
    agent('node-a', {}),
    agent('node-b', { lastSeenMs: String(Date.now() - 95_000), lagMs: '102000' }),
    agent('node-c', { samplesLost: '9020', spooledBatches: '14', spooledBytes: '2400000' }),
    agent('node-d', { lastSeenMs: String(Date.now() - 3 * HOUR), lagMs: String(3 * HOUR), engine: 'ebpf' }),
    agent('node-e', {
      lastError: 'upload refused: 403, the credential was revoked',
      spooledBatches: '220',
      spooledBytes: '41000000',
    }),
  ];
  return {
    clusters: [
      {
        id: 'old-eu',
        displayName: '',
        status: 'removed',
        agents: [agent('node-z', { lastSeenMs: String(Date.now() - 50 * HOUR) })],
      },
      { id: 'staging', displayName: '', status: 'disabled', agents: [agent('node-s', {})] },
      { id: 'fresh', displayName: '', status: 'active', agents: [] },
      { id: 'local', displayName: 'This machine', status: 'active', agents },
    ],
    nowMs: String(Date.now()),
  };
}

function audit(fake: FakeApi, end: number) {
  if (fake.mode === 'empty') return {};
  const hours = Array.from({ length: 6 }, (_, i) => {
    const taken = 190_000 - i * 3000;
    const spooled = i === 0 ? 700 : i === 5 ? 90 : 0;
    const unaccounted = i === 3 ? 400 : 0;
    return {
      cluster: 'local',
      hourMs: String(Math.floor(end / HOUR) * HOUR - i * HOUR),
      taken: String(taken),
      lostByKernel: String(i === 2 ? 1800 : 12),
      spooled: String(spooled),
      acknowledged: String(taken - spooled - unaccounted),
      unaccounted: String(unaccounted),
      missingBatches: String(i === 4 ? 1 : 0),
      duplicateBatches: String(i % 2),
    };
  });
  const spool = (node: string, hoursAgo: number, samples: number) => {
    return { node, lastSeenMs: String(Date.now() - hoursAgo * HOUR), batches: '1', samples: String(samples) };
  };
  const spools = {
    ...{ cluster: 'local', agents: 4, asOfMs: String(Date.now() - 6000), batches: '3', samples: '300' },
    ...{ silentAgents: 1, silent: [spool('node-d', 3, 400)], gone: [spool('node-f', 4, 400)] },
  };
  return { hours, spools: [spools] };
}

function answerTree(fake: FakeApi, trees: Trees, query: URLSearchParams, response: ServerResponse) {
  if (fake.mode === 'error') return fail(response, 503, 'unavailable', 'The catalog is being rebuilt.');
  const isDiff = query.has('diff_start');
  const span = { start: Number(query.get('start')), end: Number(query.get('end')) };
  const left = treeFor(fake, trees, query.get('selector')!, 1);
  const later = { start: Number(query.get('diff_start')), end: Number(query.get('diff_end')) };
  const sides = isDiff
    ? sidesOfDiff(diffTrees(left, treeFor(fake, trees, query.get('diff_selector')!, 2)))
    : { tree: left };
  const total = (value: number) => String(BigInt(value) * BigInt(left.scale));
  const header: Omit<TreeHeader, 'nodes' | 'unit' | 'scale' | 'diff'> = {
    profileType: query.get('profile_type')!,
    ...span,
    total: total(sides.tree.total[0]),
    trimmed: { nodes: 0, value: 0 },
    rounded: false,
    completeness: completeness(fake, span),
  };
  if ('right' in sides && sides.right) {
    const side = (value: number, of: typeof span, selector: string) => ({
      ...{ total: total(value), ...of, selector },
      coveredMs: coveredMs(fake, of),
    });
    header.left = side(sides.tree.total[0], span, query.get('selector')!);
    header.right = side(sides.right.total[0], later, query.get('diff_selector')!);
  }
  const bytes = gzipSync(encodeTree(sides, header), { level: 1 });
  response.writeHead(200, { 'Content-Type': 'application/vnd.cinderblock.tree', 'Content-Encoding': 'gzip' });
  response.end(bytes);
}

function treeFor(fake: FakeApi, trees: Trees, selector: string, seed: number): CallTree {
  if (fake.mode === 'empty' || fake.mode === 'other-range' || selector.includes('nothing')) {
    return new CallTreeBuilder({ scale: 10_000_000, unit: 'nanoseconds' }).build();
  }
  const key = `${fake.mode === 'deep'}/${fake.nodes}/${seed}`;
  const known = trees.get(key);
  if (known) return known;
  const made = fake.mode === 'deep' ? deepTree(fake.nodes) : syntheticTree(fake.nodes, seed);
  trees.set(key, made);
  return made;
}

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
};

async function answerFile(path: string, response: ServerResponse) {
  const name = extname(path) === '' ? '/index.html' : path;
  const body = (await builtPage()).get(name);
  if (body === undefined) return fail(response, 404, 'not_found', `no file ${name}`);
  response.writeHead(200, {
    'Content-Type': TYPES[extname(name)] ?? 'application/octet-stream',
    'Content-Security-Policy': CSP,
  });
  response.end(body);
}

function json(response: ServerResponse, body: object) {
  response.writeHead(200, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(body));
}

/** As a gateway in front of the API refuses: no code. */
function refuse(response: ServerResponse, status: number) {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify({ message: status === 401 ? 'Unauthorized' : 'Forbidden' }));
}

function fail(response: ServerResponse, status: number, code: string, message: string) {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify({ code, message }));
}

if (import.meta.main) {
  const fake = await startFakeApi({
    port: Number(process.env.PORT ?? 4141),
    nodes: Number(process.env.NODES ?? 100_000),
    mode: (process.env.MODE as FakeMode | undefined) ?? 'data',
  });
  console.log(`made-up data at ${fake.url}`);
}
