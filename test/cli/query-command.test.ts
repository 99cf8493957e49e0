import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { processBatches } from '../../pipeline/process-batches.ts';
import { type RunningServer, startServer } from '../../server/start-server.ts';
import { cinderblock } from './kept-terminal.ts';

const FOLDED = 'main;serve;parse 60\nmain;serve;write 30\nmain;idle 10\n';
const home = mkdtempSync(join(tmpdir(), 'cinderblock-cli-'));
const data = join(home, 'data');
let server: RunningServer;
let url: string[];
/** A minute that lies wholly in the last hour, so that both ways of asking see the same. */
const start = Math.floor(Date.now() / 60_000 - 10) * 60_000;

before(async () => {
  server = await startServer({ dataFolder: data, port: 0, log() {} });
  url = ['--url', server.url];
  for (const [zone, factor] of [
    ['a', 1],
    ['b', 2],
  ] as const) {
    const file = join(home, `${zone}.folded`);
    writeFileSync(
      file,
      FOLDED.replace(/\d+/g, (n) => String(Number(n) * factor)),
    );
    const window = ['--from', String(start), '--until', String(start + 10_000)];
    const pushed = await cinderblock([
      'push',
      file,
      '--name',
      'shop',
      '--label',
      `zone=${zone}`,
      ...window,
      ...url,
    ]);
    assert.equal(pushed.code, 0, pushed.notes);
    assert.match(pushed.out, /: 1\d\d|: 200 samples/);
  }
  while ((await server.hub.queue.depth()).visible > 0) await processBatches(server.hub);
  await settled();
});

after(async () => {
  await server.close();
  rmSync(home, { recursive: true });
});

/** The scheduler may hold the batches: wait until none is anywhere in the queue. */
async function settled(): Promise<void> {
  for (let i = 0; i < 500; i++) {
    const { visible, inFlight } = await server.hub.queue.depth();
    if (visible + inFlight === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail('the queue does not empty');
}

test('flamegraph as text: a tree with percentages, and how complete it is', async () => {
  const { code, out } = await cinderblock(['query', 'flamegraph', ...url]);
  assert.equal(code, 0);
  assert.match(out, /^100\.0% {4}0\.0% {9}3 s {2}total$/m);
  assert.match(out, /^ 60\.0% {3}60\.0% {6}1\.80 s {8}parse$/m);
  assert.match(out, /^complete: 300 samples, \d+ blocks? read \(.*\), lag .*, resolution raw$/m);
});

test('flamegraph as json: exact total, nodes in preorder, the completeness of the API', async () => {
  const { out } = await cinderblock([
    'query',
    'flamegraph',
    '--output',
    'json',
    '--selector',
    '{zone="b"}',
    ...url,
  ]);
  const answer = JSON.parse(out);
  assert.equal(answer.total, '2000000000');
  assert.deepEqual(
    answer.nodes.map((node: { name: string }) => node.name),
    ['total', 'main', 'serve', 'parse', 'write', 'idle'],
  );
  assert.equal(answer.nodes[2].total, 1_800_000_000);
  assert.equal(answer.completeness.complete, true);
  assert.equal(answer.completeness.samples, 200);
});

test('flamegraph as folded, speedscope and pprof, to a pipe or a file', async () => {
  const folded = await cinderblock(['query', 'flamegraph', '--output', 'folded', ...url]);
  assert.deepEqual(folded.out.trim().split('\n').sort(), [
    'main;idle 300000000',
    'main;serve;parse 1800000000',
    'main;serve;write 900000000',
  ]);
  assert.match(folded.notes, /^complete: 300 samples/);
  const file = join(home, 'out.json');
  const speedscope = await cinderblock([
    'query',
    'flamegraph',
    '--output',
    'speedscope',
    '--file',
    file,
    ...url,
  ]);
  assert.equal(speedscope.out, '');
  assert.equal(JSON.parse(readFileSync(file, 'utf8')).profiles[0].endValue, 3_000_000_000);
  const pprof = await cinderblock(['query', 'flamegraph', '--output', 'pprof', ...url]);
  assert.ok(gunzipSync(pprof.bytes).includes('parse'));
});

test('binary output is kept off a terminal', async () => {
  const { code, notes } = await cinderblock(['query', 'flamegraph', '--output', 'pprof', ...url], {
    isInteractive: true,
  });
  assert.equal(code, 2);
  assert.match(notes, /--file/);
});

test('top, by self and by total', async () => {
  const bySelf = await cinderblock(['query', 'top', '--limit', '2', ...url]);
  assert.deepEqual(
    bySelf.out
      .split('\n')
      .slice(1, 3)
      .map((line) => line.trim().split(/\s+/).at(-1)),
    ['parse', 'write'],
  );
  const byTotal = await cinderblock(['query', 'top', '--sort', 'total', '--output', 'json', ...url]);
  const { functions, total } = JSON.parse(byTotal.out);
  assert.equal(total, '3000000000');
  assert.deepEqual(functions[0], { name: 'main', module: '', self: 0, total: 3_000_000_000 });
});

test('series over time, whole and by label', async () => {
  const whole = JSON.parse((await cinderblock(['query', 'series', '--output', 'json', ...url])).out);
  assert.deepEqual(whole.series, [{ labels: {}, points: [{ timeMs: start, value: 3_000_000_000 }] }]);
  const grouped = await cinderblock(['query', 'series', '--group-by', 'zone', '--output', 'json', ...url]);
  assert.deepEqual(JSON.parse(grouped.out).series, [
    { labels: { zone: 'a' }, points: [{ timeMs: start, value: 1_000_000_000 }] },
    { labels: { zone: 'b' }, points: [{ timeMs: start, value: 2_000_000_000 }] },
  ]);
});

test('labels and services', async () => {
  const names = await cinderblock(['query', 'labels', ...url]);
  assert.ok(names.out.split('\n').includes('zone'));
  assert.equal(
    (await cinderblock(['query', 'labels', 'zone', '--selector', '{zone!="a"}', ...url])).out,
    'b\n',
  );
  const services = JSON.parse(
    (await cinderblock(['query', 'services', '--output', 'json', ...url])).out,
  ).services;
  assert.equal(services.length, 1);
  assert.equal(services[0].name, 'shop');
  assert.equal(services[0].firstSeenMs, start);
});

test('nothing found is an answer, not an error', async () => {
  for (const view of ['flamegraph', 'top', 'series']) {
    const { code, out } = await cinderblock(['query', view, '--selector', '{zone="z"}', ...url]);
    assert.equal(code, 0);
    assert.match(out, /^no samples\ncomplete: 0 samples/, view);
  }
});

test('a data folder that a server holds is refused; once it is free it answers as the server did', async () => {
  const range = ['--from', String(start - 60_000), '--until', String(start + 60_000)];
  const views = [
    ['flamegraph', '--output', 'folded'],
    ['top', '--output', 'json'],
    ['series', '--output', 'json', '--group-by', 'zone'],
    ['series', '--output', 'json'],
    ['labels', 'zone'],
    ['services', '--output', 'json'],
  ];
  const stable = (text: string) => text.replace(/"lagMs": -?\d+/g, '');
  const asked: string[] = [];
  for (const view of views) asked.push(stable((await cinderblock(['query', ...view, ...range, ...url])).out));
  const held = await cinderblock(['query', 'top', '--data', data]);
  assert.equal(held.code, 4);
  assert.match(held.notes, /in use by process \d+.*--url/s);
  await server.close();
  for (const [i, view] of views.entries()) {
    const { code, out, notes } = await cinderblock(['query', ...view, ...range, '--data', data]);
    assert.equal(code, 0, notes);
    assert.equal(stable(out), asked[i], view.join(' '));
  }
});

/** Where nobody listens. */
async function freeUrl(): Promise<string> {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  listener.close();
  await once(listener, 'close');
  return `http://127.0.0.1:${port}`;
}

test('exit codes say what to do next', async () => {
  const cases: [number, RegExp, string[]][] = [
    [2, /there is no command "fly"/, ['fly']],
    [2, /Usage/, []],
    [2, /the view is "graph"/, ['query', 'graph']],
    [2, /--output is "xml"/, ['query', 'top', '--output', 'xml']],
    [2, /--nope/, ['query', 'top', '--nope']],
    [2, /--from .* must lie before/, ['query', 'top', '--from', 'now', '--until', 'now-1h']],
    [3, /profile type "cpu"/, ['query', 'top', '--type', 'cpu']],
    [2, /is no data folder/, ['query', 'top', '--data', join(home, 'nowhere')]],
    [2, /--url is "ftp/, ['query', 'top', '--url', 'ftp://x']],
    [4, /nobody listens at/, ['query', 'top', '--url', await freeUrl()]],
  ];
  for (const [code, message, args] of cases) {
    const outcome = await cinderblock(args);
    assert.equal(outcome.code, code, `${args.join(' ')}: ${outcome.notes}`);
    assert.match(outcome.notes, message);
    assert.equal(outcome.out, '');
  }
});
