import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Terminal } from '../../cli/terminal.ts';
import { openServer } from '../server/server-under-test.ts';
import { cinderblock } from './kept-terminal.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers are compared field by field, which a type would only repeat.
type Json = any;

/** A server, and command lines that are about it. */
async function hub(t: TestContext) {
  const server = await openServer(t);
  const run = (args: readonly string[], overrides: Partial<Terminal> = {}) =>
    cinderblock(['cluster', ...args, '--url', server.url], overrides);
  const json = async (...args: string[]) => {
    const { code, out, notes } = await run([...args, '--output', 'json']);
    assert.equal(code, 0, notes);
    return JSON.parse(out) as Json;
  };
  return { ...server, run, json };
}

/** The heartbeat that an agent with these settings sends: what `doctor --probe` sends, but counted. */
function beat(
  { hub }: { hub: Awaited<ReturnType<typeof openServer>>['hub'] },
  cluster: string,
  changes = {},
) {
  const heartbeat = { cluster, node: 'n1', bootId: 'b', version: '1.0', engine: 'perf', clockSkewMs: 0 };
  return hub.registry.recordHeartbeat({ ...heartbeat, at: hub.clock(), counters: {}, ...changes });
}

test('add prints what an agent is started with, and that gets in', async (t) => {
  const { url, run } = await hub(t);
  const { code, out, notes } = await run(['add', 'edge', '--name', 'The edge']);
  assert.equal(code, 0, notes);
  const env = Object.fromEntries(
    [...out.matchAll(/(CINDERBLOCK_\w+)=(\S+)/g)].map(([, name, value]) => [name, value]),
  );
  assert.partialDeepStrictEqual(env, { CINDERBLOCK_HUB_URL: url, CINDERBLOCK_CLUSTER: 'edge' });
  assert.match(out, /^ {2}cluster: edge\n {2}accessKeyId: CB[0-9A-F]{20}$/m);
  assert.match(notes, /is reached from this machine alone/);
  const probed = await run(['doctor', 'edge', '--probe'], { env });
  assert.equal(probed.code, 0, probed.out);
  assert.match(probed.out, /^ok +heartbeat +the hub lets agents of edge in$/m);
  const elsewhere = await run(['add', 'far', '--hub-url', 'https://profiles.example/']);
  assert.match(elsewhere.out, /CINDERBLOCK_HUB_URL=https:\/\/profiles\.example /);
  assert.equal(elsewhere.notes, '');
});

test('add waits for the first heartbeat, with progress', async (t) => {
  const server = await hub(t);
  const shown: string[] = [];
  const progress = (line: string) => {
    shown.push(line);
    if (shown.length === 1) beat(server, 'edge');
  };
  const { code, notes } = await server.run(['add', 'edge', '--wait', '1m'], { progress });
  assert.equal(code, 0, notes);
  assert.match(shown[0]!, /waiting for the first heartbeat of edge: .* of 1 min/);
  assert.match(notes, /edge is heard: node n1, agent 1\.0, engine perf/);
});

test('when nobody is heard, the doctor says what it sees', async (t) => {
  const { run } = await hub(t);
  const { code, notes } = await run(['add', 'edge', '--wait', '1ms']);
  assert.equal(code, 4);
  assert.match(notes, /no agent of edge was heard within 1 ms/);
  assert.match(notes, /^failed +heartbeat +no agent was ever heard → /m);
  assert.match(notes, /from here, with the key pair that was issued:/);
  assert.match(notes, /^ok +heartbeat +the hub lets agents of edge in$/m);
});

test('Ctrl-C ends the waiting; the cluster stays', async (t) => {
  const { run, json } = await hub(t);
  const abort = new AbortController();
  const progress = () => abort.abort();
  const { code, notes } = await run(['add', 'edge', '--wait', '1m'], { signal: abort.signal, progress });
  assert.equal(code, 130);
  assert.match(notes, /interrupted$/);
  assert.equal((await json('show', 'edge')).status, 'active');
});

test('list and show say how clusters are', async (t) => {
  const server = await hub(t);
  await server.run(['add', 'edge']);
  await beat(server, 'edge', { lastError: 'the hub is away', counters: { spooledBytes: 2048 } });
  const listed = await server.run(['list']);
  assert.match(listed.out, /^edge +active +1 +\S+ \S+ ago +2 KiB +edge$/m);
  const shown = await server.run(['show', 'edge']);
  assert.match(shown.out, /^key pair +CB\w+, issued /m);
  assert.match(shown.out, /^n1 +.* ago +1\.0 +perf +.*the hub is away$/m);
  const unknown = await server.run(['show', 'nope']);
  assert.deepEqual([unknown.code, unknown.notes], [3, 'cinderblock: there is no cluster "nope"']);
});

test('rotate issues another key pair beside the old one, and ends that when told', async (t) => {
  const { run, json } = await hub(t);
  const first = (await json('add', 'edge')).keyPair;
  const rotated = await run(['rotate', 'edge', '--grace', '1h']);
  assert.match(rotated.out, /has a new key pair, .* what it replaces stops at 20/);
  assert.match((await run(['doctor', 'edge'])).out, /^warning +access +2 key pairs in force/m);
  const asked = await run(['rotate', 'edge', '--finish']);
  assert.equal(asked.code, 2);
  assert.match(asked.notes, /are refused from now on; pass --yes to go on/);
  assert.equal((await run(['rotate', 'edge', '--finish', '--yes'])).code, 0);
  const { accessKeys } = await json('show', 'edge');
  const good = accessKeys.filter(({ revokedAtMs }: Json) => revokedAtMs === undefined);
  assert.equal(good.length, 1);
  assert.notEqual(good[0].accessKeyId, first.accessKeyId);
});

test('what cannot be undone is asked first, and a no changes nothing', async (t) => {
  const { run, json } = await hub(t);
  await run(['add', 'edge']);
  const questions: string[] = [];
  const answering = (answer: boolean) => ({
    confirm: async (question: string) => {
      questions.push(question);
      return answer;
    },
  });
  for (const verb of ['disable', 'remove']) {
    assert.equal((await run([verb, 'edge'])).code, 2, 'nobody is there to ask');
    const refused = await run([verb, 'edge'], answering(false));
    assert.deepEqual([refused.code, refused.notes], [3, 'nothing was changed']);
  }
  assert.equal((await json('show', 'edge')).status, 'active');
  assert.equal((await run(['disable', 'edge'], answering(true))).code, 0);
  assert.match((await run(['doctor', 'edge'])).out, /^failed +status +disabled → .*cluster enable edge/m);
  assert.equal((await run(['enable', 'edge'])).code, 0);
  const removed = await run(['remove', 'edge', '--yes']);
  assert.match(removed.out, /is removed, 1 key pair revoked; its profiles stay/);
  assert.doesNotMatch((await run(['list'])).out, /edge/);
  assert.match((await run(['list', '--all'])).out, /^edge +removed/m);
  assert.match(questions[0]!, /refused until it is enabled again\. Go on\?/);
});

test('the doctor judges what agents report, and exits by the worst', async (t) => {
  const server = await hub(t);
  const lines = async () => (await server.run(['doctor', 'edge'])).out;
  assert.match(
    await lines(),
    /^failed +registered +there is no cluster "edge" → cinderblock cluster add edge/m,
  );
  await server.run(['add', 'edge']);
  await beat(server, 'edge');
  const well = await server.run(['doctor', 'edge']);
  assert.equal(well.code, 0, well.out);
  assert.match(well.out, /^ok +heartbeat +1 of 1 agent heard lately/m);
  const counters = { spooledBatches: 50, spooledBytes: 1024 ** 2 };
  const at = server.hub.clock() - 3_600_000;
  await beat(server, 'edge', { node: 'n2', at, clockSkewMs: 7_200_000, counters, lastError: 'no route' });
  const worn = await server.run(['doctor', 'edge']);
  assert.equal(worn.code, 0, 'warnings are no failures');
  assert.match(worn.out, /^warning +heartbeat +1 of 2 agents heard lately, .*away: n2/m);
  assert.match(worn.out, /^warning +clocks +n2 is 2 hours ahead of the hub/m);
  assert.match(worn.out, /^warning +errors +n2: no route/m);
  assert.match(worn.out, /^warning +spools +50 batches \(1 MiB\) wait on nodes/m);
  const checks = JSON.parse((await server.run(['doctor', 'edge', '--output', 'json'])).out).checks;
  assert.equal(checks.length, 8);
});

test('a hub that is away, and one that asks for a token, are findings of the doctor too', async (t) => {
  const closed = await openServer(t);
  await closed.close();
  const away = await cinderblock(['cluster', 'doctor', 'edge', '--url', closed.url]);
  assert.equal(away.code, 4);
  assert.match(away.out, /^failed +hub +nobody listens .* → --url or CINDERBLOCK_URL/m);
  const { url } = await openServer(t, { token: 'a-token-of-24-characters' });
  const refused = await cinderblock(['cluster', 'doctor', 'edge', '--url', url]);
  assert.equal(refused.code, 3);
  assert.match(refused.out, /→ --token or CINDERBLOCK_TOKEN must be a token with the scope admin/);
  const unset = await cinderblock(['cluster', 'doctor', 'edge', '--probe'], {
    env: { CINDERBLOCK_HUB_URL: url },
  });
  assert.deepEqual([unset.code, /CINDERBLOCK_ACCESS_KEY_ID .* must be set/.test(unset.notes)], [3, true]);
});

test('command lines that make no sense are refused before the hub is asked', async () => {
  for (const [args, message] of [
    [[], /the verb is ""/],
    [['add'], /name the cluster/],
    [['add', 'a/b'], /may only use/],
    [['add', 'a', 'b'], /"b" is one word too many/],
    [['add', 'a', '--wait', 'long'], /no length of time/],
    [['add', 'a', '--account', '12'], /it has 12 digits/],
    [['add', 'a', '--role', 'admin'], /must be like arn:aws:iam/],
    [['add', 'a', '--mode', 'magic'], /it may be pod-identity/],
    [['add', 'a', '--trust-anchor', 'x'], /needs --common-name/],
    [['rotate', 'a', '--grace', '1h', '--finish'], /leave out --grace/],
    [['list', 'a'], /one word too many/],
  ] as const) {
    const { code, notes } = await cinderblock(['cluster', ...args, '--url', 'http://127.0.0.1:1']);
    assert.equal(code, 2, args.join(' '));
    assert.match(notes, message);
  }
});
