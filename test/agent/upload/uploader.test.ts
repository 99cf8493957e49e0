import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { afterEach, test } from 'node:test';
import { HubClock } from '../../../agent/hub-clock.ts';
import { Spool } from '../../../agent/spool/spool.ts';
import {
  type CredentialSource,
  CredentialsError,
  fixedCredentials,
} from '../../../agent/upload/credentials.ts';
import { httpTransport } from '../../../agent/upload/http-transport.ts';
import { HubClient } from '../../../agent/upload/hub-client.ts';
import { Uploader } from '../../../agent/upload/uploader.ts';
import { accept, answer, hangUp, type Reaction, ScriptedHub } from '../scripted-hub.ts';
import { seededRandom } from '../seeded-random.ts';
import { SimulatedFs } from '../simulated-fs.ts';
import { VirtualClock } from '../virtual-clock.ts';

const HUB_NOW = Date.parse('2026-11-21T12:00:00Z');
let hub: ScriptedHub | undefined;
afterEach(() => hub?.close());

interface Bench {
  readonly hub: ScriptedHub;
  readonly spool: Spool;
  readonly uploader: Uploader;
  readonly clock: VirtualClock;
  readonly hubClock: HubClock;
  readonly said: string[];
  add(count: number): void;
}

/** An uploader with a real spool on simulated files, real HTTP to a scripted hub, and a clock in the test's hand. */
async function bench(
  script: Reaction[],
  options: { wallMs?: number; otherwise?: Reaction; credentials?: CredentialSource } = {},
): Promise<Bench> {
  hub = new ScriptedHub(script, options.otherwise);
  const hubUrl = await hub.listen();
  const random = seededRandom(1);
  const said: string[] = [];
  const log = (_: string, message: string) => void said.push(message);
  const clock = new VirtualClock(options.wallMs ?? HUB_NOW);
  const hubClock = new HubClock(clock);
  const fs = new SimulatedFs(random);
  const spool = new Spool({ fs, folder: '/spool', bootId: 'b', bytesMax: 1e9, ageMaxMs: 3_600_000, log });
  const pair = { accessKeyId: 'AKID', secretAccessKey: 'secret' };
  const { credentials = fixedCredentials(pair) } = options;
  const transport = httpTransport({ timeoutMs: 300 });
  const client = new HubClient({
    ...{ hubUrl, cluster: 'c', credentials, region: 'local', transport, clock, hubClock },
  });
  const uploader = new Uploader({ spool, client, clock, hubClock, random, log, jitterMs: 0 });
  const add = (count: number) => {
    for (let i = 0; i < count; i++) addBatch(spool, hubClock.now());
  };
  return { hub, spool, uploader, clock, hubClock, said, add };
}

function addBatch(spool: Spool, createdMs: number): void {
  spool.gather({ taken: 10, lost: 0 });
  const encode = ({ sequence }: { sequence: number }) => new TextEncoder().encode(`batch ${sequence}`);
  spool.append({ kept: 10, taken: 10, lost: 0, firstWindow: 0, lastWindow: 10, createdMs, encode });
}

test('sends batches in order, signed over their bytes, and forgets them', async () => {
  const { hub, spool, uploader, add } = await bench([]);
  add(3);
  for (let i = 0; i < 3; i++) assert.equal(await uploader.step(), 0);
  assert.ok((await uploader.step()) > 0);
  assert.equal(spool.batches, 0);
  assert.deepEqual(
    hub.received.map(({ body }) => body.toString()),
    ['batch 1', 'batch 2', 'batch 3'],
  );
  const [{ path, headers, body }] = hub.received as [(typeof hub.received)[0]];
  assert.equal(path, '/v1/clusters/c/batches');
  assert.equal(headers['content-type'], 'application/vnd.cinderblock.batch');
  assert.equal(headers['x-amz-content-sha256'], createHash('sha256').update(body).digest('hex'));
  assert.match(
    headers.authorization!,
    /^AWS4-HMAC-SHA256 Credential=AKID\/20261121\/local\/execute-api\/aws4_request/,
  );
  assert.match(headers.authorization!, /SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date/);
});

test('a batch whose answer was lost is sent again', async () => {
  const { hub, spool, uploader, add } = await bench([hangUp, answer(202, { batchId: 'x', duplicate: true })]);
  add(1);
  assert.ok((await uploader.step()) >= 500);
  assert.equal(spool.batches, 1);
  assert.equal(await uploader.step(), 0);
  assert.equal(spool.batches, 0);
  assert.equal(hub.received.length, 2);
  assert.deepEqual(hub.received[0]!.body, hub.received[1]!.body);
});

test('a hub that does not answer in time is tried again', async () => {
  const { spool, uploader, add, said } = await bench([() => {}]);
  add(1);
  assert.ok((await uploader.step()) > 0);
  assert.match(said.join('\n'), /no answer within 0.3 s/);
  assert.equal(await uploader.step(), 0);
  assert.equal(spool.batches, 0);
});

test('waits grow with failures, within bounds, and start over after success', async () => {
  const { uploader, add } = await bench([], { otherwise: answer(500, { code: 'internal', message: 'no' }) });
  add(1);
  const waits: number[] = [];
  for (let i = 0; i < 10; i++) waits.push(await uploader.step());
  for (const [i, wait] of waits.entries()) {
    const full = Math.min(30_000, 1000 * 2 ** i);
    assert.ok(wait >= full / 2 && wait <= full, `wait ${i} is ${wait}`);
  }
});

for (const [header, leastMs] of [
  ['17', 17_000],
  ['Sat, 21 Nov 2026 12:00:40 GMT', 38_000],
] as const) {
  test(`Retry-After ${header} is honoured`, async () => {
    const busy = answer(
      503,
      { code: 'unavailable', message: 'busy' },
      { 'retry-after': header, date: new Date(HUB_NOW).toUTCString() },
    );
    const { spool, uploader, add } = await bench([busy]);
    add(1);
    const waitMs = await uploader.step();
    assert.ok(waitMs >= leastMs && waitMs <= leastMs + 4_000, `waits ${waitMs}`);
    assert.equal(spool.batches, 1);
  });
}

test('a refused batch is set aside and counted, and the next one goes through', async () => {
  const refuse = answer(400, { code: 'invalid_argument', message: 'the batch is broken' });
  const { spool, uploader, add, said } = await bench([refuse]);
  add(2);
  assert.equal(await uploader.step(), 0);
  assert.equal(await uploader.step(), 0);
  assert.equal(spool.batches, 0);
  assert.deepEqual(spool.dropped.refused, { batches: 1, samples: 10 });
  assert.deepEqual(spool.unreported, { taken: 0, lost: 0, droppedBatches: 1, droppedSamples: 10 });
  assert.match(said.join('\n'), /refused a batch for good: HTTP 400: the batch is broken/);
});

test('a refusal that is not in a hub’s words is believed only when it comes again and again', async () => {
  const proxy: Reaction = (_, response) => void response.writeHead(413).end('<html>Too Large</html>');
  const { spool, uploader, add } = await bench([proxy, proxy, proxy, proxy, proxy]);
  add(2);
  for (let i = 0; i < 4; i++) assert.ok((await uploader.step()) > 0);
  assert.equal(spool.batches, 2);
  assert.equal(await uploader.step(), 0);
  assert.deepEqual(spool.dropped.refused, { batches: 1, samples: 10 });
  assert.equal(await uploader.step(), 0);
  assert.equal(spool.batches, 0);
});

test('a success that is not a hub’s acknowledges nothing', async () => {
  const portal: Reaction = (_, response) => void response.writeHead(200).end('<html>Please log in</html>');
  const { spool, uploader, add } = await bench([portal]);
  add(1);
  assert.ok((await uploader.step()) > 0);
  assert.equal(spool.batches, 1);
});

test('a wrong clock is measured from the Date header, said in words, and corrected at once', async () => {
  const wallMs = HUB_NOW + 3 * 3_600_000;
  const date = new Date(HUB_NOW).toUTCString();
  const denied = answer(401, { code: 'unauthenticated', message: 'the signature is too old' }, { date });
  const { hub, spool, uploader, add, said, hubClock } = await bench([denied, accept], { wallMs });
  add(1);
  assert.equal(await uploader.step(), 0);
  assert.match(said.join('\n'), /the clock of this node is 3 hours ahead of the hub/);
  assert.ok(Math.abs(hubClock.now() - HUB_NOW) < 2_000);
  assert.equal(await uploader.step(), 0);
  assert.equal(spool.batches, 0);
  assert.match(String(hub.received[0]!.headers['x-amz-date']), /^20261121T15/);
  assert.match(String(hub.received[1]!.headers['x-amz-date']), /^20261121T12/);
});

test('an agent that is not let in keeps its batches and asks rarely', async () => {
  const date = new Date(HUB_NOW).toUTCString();
  const denied = answer(403, { code: 'permission_denied', message: 'the key is revoked' }, { date });
  const { spool, uploader, add, said } = await bench([], { otherwise: denied });
  add(1);
  const waits = [await uploader.step(), await uploader.step(), await uploader.step()];
  assert.ok(waits[0]! >= 7_500, `waits ${waits}`);
  assert.equal(spool.batches, 1);
  assert.match(said.join('\n'), /does not let this agent in \(HTTP 403: the key is revoked\)/);
});

const denied = (status: number) =>
  answer(status, { message: 'The security token included in the request is expired' });

/** Temporary credentials: number 1, and after each refusal the next number. */
function rotating(): CredentialSource & { refreshed: number } {
  return {
    refreshed: 0,
    async get() {
      const accessKeyId = `ASIA${this.refreshed + 1}`;
      return { accessKeyId, secretAccessKey: 'secret', sessionToken: 'token' };
    },
    refresh() {
      this.refreshed++;
      return true;
    },
  };
}

test('credentials that are refused are replaced, and the batch goes through at once', async () => {
  const credentials = rotating();
  const { hub, spool, uploader, add } = await bench([denied(403)], { credentials });
  add(1);
  assert.equal(await uploader.step(), 0);
  assert.equal(await uploader.step(), 0);
  assert.equal(spool.batches, 0);
  const keys = hub.received.map(({ headers }) => /Credential=(\w+)/.exec(headers.authorization!)![1]);
  assert.deepEqual(keys, ['ASIA1', 'ASIA2']);
  assert.equal(hub.received[1]!.headers['x-amz-security-token'], 'token');
});

test('when fresh credentials are refused too, the agent asks every few minutes, and rests from then on', async () => {
  const credentials = rotating();
  const { hub, uploader, add } = await bench([], { otherwise: denied(401), credentials });
  add(1);
  assert.equal(await uploader.step(), 0);
  for (let i = 0; i < 3; i++) {
    const waitMs = await uploader.step();
    assert.ok(waitMs >= 150_000 && waitMs <= 300_000, `waits ${waitMs}`);
  }
  assert.equal(hub.received.length, 4);
});

test('a path that is not there is no reason for other credentials', async () => {
  const credentials = rotating();
  const { uploader, add } = await bench([denied(404)], { credentials });
  add(1);
  assert.ok((await uploader.step()) > 0);
  assert.equal(credentials.refreshed, 0);
});

test('an agent without credentials says so, and sends nothing', async () => {
  const credentials: CredentialSource = {
    get: () => Promise.reject(new CredentialsError('no credentials to sign with: AccessDenied')),
    refresh: () => true,
  };
  const { hub, uploader, add, said } = await bench([], { credentials });
  add(1);
  assert.ok((await uploader.step()) >= 7_500);
  assert.match(said.join('\n'), /no credentials to sign with: AccessDenied; 1 batches wait on disk/);
  assert.equal(hub.received.length, 0);
});

test('batches that a hub would not take any more are given up, once its clock is known', async () => {
  const { spool, uploader, clock, add, hubClock } = await bench([]);
  add(1);
  clock.skip(2 * 3_600_000);
  add(2);
  assert.equal(await uploader.step(), 0);
  assert.equal(spool.batches, 2, 'nothing is too old before the hub said what time it is');
  hubClock.observe(HUB_NOW + 4 * 3_600_000, clock.monotonic());
  await uploader.step();
  assert.deepEqual(spool.dropped.age, { batches: 1, samples: 10 });
});

test('works through what waits, then sleeps until a batch is spooled', async () => {
  const { spool, uploader, clock, add } = await bench([]);
  const stop = new AbortController();
  const run = uploader.run(stop.signal);
  add(2);
  uploader.notify();
  await until(clock, () => spool.batches === 0);
  add(1);
  uploader.notify();
  await until(clock, () => spool.batches === 0);
  stop.abort();
  await run;
  assert.equal(uploader.counters.uploadedBatches, 3);
});

/** Lets real I/O go on while virtual time passes slowly. */
async function until(clock: VirtualClock, isDone: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !isDone(); i++) {
    await clock.advance(10);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.ok(isDone());
}
