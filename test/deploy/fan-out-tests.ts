// Large queries, shared by the deployed query function with invocations of its worker: every query is large here, once the
// query function is told so.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { CPU } from '../core/block/fixtures.ts';
import { misinform } from './deployed-processor.ts';
import type { Lane } from './lane.ts';
import { call, HOUR_MS, until } from './lane-hub.ts';
import { linesOf, queryCall } from './signed-call.ts';
import { HUB_ACCOUNT, rootOf } from './stand-in-cloud.ts';

const QUERIER = 'querier.v1.QuerierService';
const REFUSAL = 'NoWorkers';

/** The same answers with workers, with workers that fail, and without. */
export function fanOutTests(open: () => Lane): void {
  test('a large query goes through the workers, and its answer is the same', async (t) => {
    const lane = open();
    const alone = await answersOf(lane);
    assert.ok(alone.total > 0);
    const since = Date.now();
    await shareAll(t, lane);
    assert.deepEqual(await answersOf(lane), alone);
    const { asked, failed } = await sharesSince(lane, since);
    assert.equal(failed, 0);
    t.diagnostic(`${asked} shares of a flame graph and a profile of ${alone.total} samples`);
  });

  test('workers that may not be invoked: the answer is the same', async (t) => {
    const lane = open();
    const alone = await answersOf(lane);
    await shareAll(t, lane);
    await refuseWorkers(t, lane);
    const since = Date.now();
    assert.deepEqual(await answersOf(lane), alone);
    const { asked, failed } = await sharesSince(lane, since);
    assert.equal(failed, asked);
  });

  test('workers that find no bucket: the answer is the same', async (t) => {
    const lane = open();
    const alone = await answersOf(lane);
    await shareAll(t, lane);
    const worker = await lane.functionNamed('Query', 'QueryWorker');
    t.after(await misinform(worker, { CINDERBLOCK_BUCKET: 'another-bucket' }));
    const since = Date.now();
    assert.deepEqual(await answersOf(lane), alone);
    const { asked, failed } = await sharesSince(lane, since);
    assert.equal(failed, asked);
  });

  test('a worker takes no event that is no share', async () => {
    const lane = open();
    const FunctionName = await lane.functionNamed('Query', 'QueryWorker');
    for (const event of ['{}', '{"share":"AAAA"}']) {
      const command = new InvokeCommand({ FunctionName, Payload: Buffer.from(event) });
      const { FunctionError, Payload } = await new LambdaClient({}).send(command);
      assert.notEqual(FunctionError, undefined, event);
      assert.match(Payload!.transformToString(), /MalformedInputError|has no share|query share/);
    }
  });
}

/** Tells the query function that every query is large, until the test ends. */
async function shareAll(t: TestContext, lane: Lane): Promise<void> {
  const query = await lane.functionNamed('Query', 'Query');
  t.after(await misinform(query, { CINDERBLOCK_QUERY_FAN_OUT_BYTES: '1' }));
}

/** Takes the right to invoke workers from the query function, until the test ends. */
async function refuseWorkers(t: TestContext, lane: Lane): Promise<void> {
  const root = rootOf(lane.cloud, HUB_ACCOUNT);
  const RoleName = await lane.physicalId('Query', /^QueryRole[0-9A-F]{8}$/);
  const Statement = [{ Effect: 'Deny', Action: 'lambda:InvokeFunction', Resource: '*' }];
  const PolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement });
  const policy = { RoleName, PolicyName: REFUSAL };
  await queryCall('iam', { Action: 'PutRolePolicy', ...policy, PolicyDocument }, root);
  t.after(() => queryCall('iam', { Action: 'DeleteRolePolicy', ...policy }, root));
}

/** Of everything but agents: raw and downsampled blocks, with a deletion. */
async function answersOf(lane: Lane) {
  const range = { start: Date.now() - 48 * HOUR_MS, end: Math.ceil(Date.now() / HOUR_MS + 1) * HOUR_MS };
  const request = {
    profileTypeID: CPU,
    labelSelector: '{service_name=~"shop|archive"}',
    start: Math.floor(range.start / HOUR_MS) * HOUR_MS,
    end: range.end,
    maxNodes: 0,
  };
  const { flamegraph } = await ask(lane, 'SelectMergeStacktraces', request);
  const profile = await ask(lane, 'SelectMergeProfile', request);
  return { flamegraph, total: Number(flamegraph.total), samples: samplesOf(profile) };
}

// biome-ignore lint/suspicious/noExplicitAny: answers of the API are compared as they are
async function ask(lane: Lane, method: string, request: object): Promise<any> {
  const { status, body } = await call(lane.queryUrl, lane.queryToken, `${QUERIER}/${method}`, request);
  if (status !== 200) throw new Error(`${method} answered ${status}: ${body}`);
  return JSON.parse(body);
}

interface Profile {
  sample: { locationId: string[]; value: string[] }[];
  location: { id: string; line: { functionId: string }[] }[];
  function: { id: string; name: string }[];
  stringTable: string[];
}

/** By the names of their stacks: the order is that in which blocks were read. */
function samplesOf({ sample, location, function: functions, stringTable }: Profile): string[] {
  const nameOf = new Map(functions.map(({ id, name }) => [id, stringTable[Number(name)]]));
  const namesOf = new Map(
    location.map(({ id, line }) => [id, line.map(({ functionId }) => nameOf.get(functionId)).join('<')]),
  );
  return sample
    .map(({ locationId, value }) => `${locationId.map((id) => namesOf.get(id)).join(';')} ${value}`)
    .sort();
}

/** Of both questions of `answersOf`, by the metrics of the query function. */
async function sharesSince(lane: Lane, since: number): Promise<{ asked: number; failed: number }> {
  const group = await lane.physicalId('Query', /^QueryLogs[0-9A-F]{8}$/);
  const lines = await until(
    async () => {
      const all = await linesOf(group, since, rootOf(lane.cloud, HUB_ACCOUNT));
      return all.filter((line) => line.includes('"query_shares_total":'));
    },
    ({ length }) => length >= 2,
  );
  const sumOf = (metric: string) =>
    lines
      .map((line) => new RegExp(`"${metric}":\\[?(\\d+)`).exec(line)?.[1] ?? '0')
      .reduce((sum, value) => sum + Number(value), 0);
  const asked = sumOf('query_shares_total');
  assert.ok(asked >= 2, lines.join('\n'));
  return { asked, failed: sumOf('query_failed_shares_total') };
}
