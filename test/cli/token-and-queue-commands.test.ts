import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { openServer } from '../server/server-under-test.ts';
import { cinderblock } from './kept-terminal.ts';

const TOKEN = 'a-token-of-24-characters';

/** A server that asks for a token, and command lines that have it. */
async function guarded(t: TestContext) {
  const server = await openServer(t, { token: TOKEN });
  const env = { CINDERBLOCK_URL: server.url, CINDERBLOCK_TOKEN: TOKEN };
  return { ...server, run: (...args: string[]) => cinderblock(args, { env }) };
}

test('a token is issued to standard output alone, works, is listed and revoked', async (t) => {
  const { url, run } = await guarded(t);
  const issued = await run('token', 'issue', 'grafana', '--expires', '90d');
  assert.equal(issued.code, 0, issued.notes);
  assert.match(issued.out, /^cbt_[\w-]{43}\n$/);
  assert.match(issued.notes, /of grafana, for query, good until 20.*shown this once/);
  const token = issued.out.trim();
  const services = () => cinderblock(['query', 'services', '--url', url, '--token', token]);
  assert.equal((await services()).code, 0);
  const admin = await cinderblock(['token', 'list', '--url', url, '--token', token]);
  assert.deepEqual([admin.code, /lacks the scope "admin"/.test(admin.notes)], [3, true]);
  assert.match((await run('token', 'list')).out, /^[0-9a-f]{12} +grafana +query +20/m);
  assert.equal((await run('token', 'revoke', 'grafana')).code, 2, 'nobody is there to ask');
  assert.equal((await run('token', 'revoke', 'grafana', '--yes')).code, 0);
  assert.equal((await services()).code, 3);
  assert.match((await run('token', 'list')).notes, /there are no tokens/);
  assert.match((await run('token', 'list', '--all')).out, /grafana/);
});

test('scopes of a token are what was asked for', async (t) => {
  const { run } = await guarded(t);
  const args = ['--scope', 'ingest', '--scope', 'query', '--cluster', 'local', '--output', 'json'];
  const { info } = JSON.parse((await run('token', 'issue', 'sdk', ...args)).out);
  assert.deepEqual(info.scopes, ['ingest', 'query', 'cluster:local']);
  const wrong = await run('token', 'issue', 'x', '--scope', 'all');
  assert.deepEqual([wrong.code, /there is no scope "all"/.test(wrong.notes)], [2, true]);
  assert.equal((await run('token', 'issue')).code, 2);
});

/** Sends a batch that no processor can read. */
async function sendBroken({ hub }: Awaited<ReturnType<typeof guarded>>, batchId: string): Promise<void> {
  const message = { batchId, tenant: 'local', cluster: 'local', receivedAt: hub.clock() };
  await hub.queue.send({ ...message, payload: new Uint8Array(10) });
}

test('the queue says what waits, and what is in quarantine is requeued or deleted', async (t) => {
  const server = await guarded(t);
  const { run, process } = server;
  await sendBroken(server, 'local/n/b/1');
  assert.match((await run('queue', 'status')).out, /^0 dead letters$/m);
  await process();
  const listed = await run('queue', 'quarantined');
  const [id] = listed.out.split('\n');
  assert.match(listed.out, /local\/n\/b\/1, 10 B, since .*\n {2}\w+Error: /);
  assert.match((await run('queue', 'requeue', id!)).out, /^1 batch will be tried again$/m);
  await process();
  const again = JSON.parse((await run('queue', 'quarantined', '--output', 'json')).out).batches;
  assert.equal(again.length, 1);
  const refused = await run('queue', 'discard', again[0].id);
  assert.deepEqual([refused.code, /deleted for good.*pass --yes/.test(refused.notes)], [2, true]);
  assert.equal((await run('queue', 'discard', again[0].id, '--yes')).out, '1 batch deleted\n');
  assert.match((await run('queue', 'quarantined')).notes, /nothing is in quarantine/);
  assert.equal((await run('queue', 'requeue', again[0].id)).code, 3);
});

test('dead letters are listed, redriven and deleted', async (t) => {
  const server = await guarded(t);
  const { hub, run } = server;
  // Whoever scripts the queue by hand must be faster than the scheduler, so it is this stand-in that is asked.
  const letters = ['7', '8', '9'].map((id) => ({
    ...{ id, receiveCount: 20, deadAt: hub.clock() },
    message: {
      batchId: `c/n/b/${id}`,
      tenant: 'local',
      cluster: 'c',
      receivedAt: 1,
      payload: new Uint8Array(2048),
    },
  }));
  const gone = (ids: readonly string[]) => {
    const before = letters.length;
    for (const id of ids)
      letters.splice(
        letters.findIndex((letter) => letter.id === id),
        1,
      );
    return before - letters.length;
  };
  Object.assign(hub.queue, {
    deadLetters: async (limit: number) => letters.slice(0, limit),
    depth: async () => ({ visible: 5, inFlight: 1, dead: letters.length, oldestMs: 90_000 }),
    redrive: async (ids: string[] | 'all') => gone(ids === 'all' ? letters.map(({ id }) => id) : ids),
    discard: async (ids: string[]) => gone(ids),
  });
  assert.equal(
    (await run('queue', 'status')).out,
    '5 batches waiting, the oldest for 1.50 min\n1 batch being stored\n3 dead letters\n',
  );
  const listed = await run('queue', 'dead', '--limit', '2');
  assert.match(listed.out, /^7 +c\/n\/b\/7 +2 KiB +20 +1970-01-01T00:00:00.001Z +20/m);
  assert.match(listed.notes, /1 more; --limit shows more/);
  assert.equal((await run('queue', 'redrive', '8')).out, '1 dead letter will be tried again\n');
  assert.equal((await run('queue', 'discard', '9', '--yes')).out, '1 batch deleted\n');
  assert.equal((await run('queue', 'redrive', '--all')).out, '1 dead letter will be tried again\n');
  assert.match((await run('queue', 'dead')).notes, /there are no dead letters/);
});

test('command lines of the queue that make no sense are refused', async () => {
  for (const args of [
    ['drain'],
    ['redrive'],
    ['redrive', '1', '--all'],
    ['requeue', '--all'],
    ['status', '1'],
  ]) {
    assert.equal((await cinderblock(['queue', ...args, '--yes'])).code, 2, args.join(' '));
  }
});
