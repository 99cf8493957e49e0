// The whole product in a cloud that stands in for AWS: stock `cdk bootstrap` and `cdk deploy`, clusters in accounts of
// their own, batches signed by their roles, through the deployed functions into a flame graph. Then faults, refusals,
// and what every role may and may not do. IAM, signatures and TLS are enforced all the while.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { accessTests } from './access-tests.ts';
import { compactionTests } from './compaction-tests.ts';
import { fanOutTests } from './fan-out-tests.ts';
import { faultTests } from './fault-tests.ts';
import { KNOWN_GAPS } from './known-gaps.ts';
import { Lane } from './lane.ts';
import { until } from './lane-hub.ts';
import { pageTests } from './page-tests.ts';
import { roleTests } from './role-tests.ts';
import { AGENT_NODE, withAgent } from './run-agent.ts';
import { HUB_ACCOUNT, rootOf, type StandInCloud, startCloud } from './stand-in-cloud.ts';

const BATCHES = 20;
/** More than fits into a message. */
const LARGE_BYTES = 400 * 1024;

/** Of a line of a function that is shown when a test fails. */
const TROUBLE_LENGTH_MAX = 1000;

function laneTests(cloud: StandInCloud): void {
  let lane: Lane;
  before(async () => {
    lane = await Lane.open(cloud);
  });
  let startedAt = 0;
  beforeEach(() => {
    startedAt = Date.now();
  });
  afterEach(async (t) => {
    // Types of Node.js do not know it yet.
    if ((t as unknown as { passed: boolean }).passed || !lane.fresh) return;
    for (const line of await lane.troubles(startedAt)) t.diagnostic(line.slice(0, TROUBLE_LENGTH_MAX));
  });
  after(async () => {
    lane?.close();
    await cloud.stop();
  });

  test('a hub is deployed into an empty account', async (t) => {
    const bootstrapSeconds = await lane.deployFresh();
    const { synthSeconds, deploySeconds, adapted } = lane.fresh;
    t.diagnostic(
      `bootstrap ${bootstrapSeconds.toFixed(0)} s, synth ${synthSeconds.toFixed(0)} s, deploy ${deploySeconds.toFixed(0)} s`,
    );
    for (const [gap, places] of adapted) t.diagnostic(`adapted to the stand-in: ${gap}: ${places}`);
    const response = await fetch(`${lane.queryUrl}/healthz`);
    assert.equal(response.status, 200, await response.text());
  });

  test('clusters are added; the same deployment again lets them in, and replaces nothing', async (t) => {
    const before = await lane.resources();
    for (const cluster of ['a', 'b'] as const) await lane.addCluster(cluster);
    assert.deepEqual(await lane.configuredClusters(), ['a', 'b']);
    const { synthSeconds, deploySeconds } = await lane.update({ logRetentionDays: 30 });
    t.diagnostic(`update: synth ${synthSeconds.toFixed(0)} s, deploy ${deploySeconds.toFixed(0)} s`);
    const after = await lane.resources();
    for (const [id, physical] of before) assert.equal(after.get(id), physical, id);
    assert.ok(after.size > before.size);
    await lane.deploySpokes();
  });

  test('an administrator issues the token that a tool asks with', async () => {
    const { out } = await lane.cli('token', 'issue', 'grafana', '--scope', 'query', '--output', 'json');
    lane.queryToken = JSON.parse(out).token;
    assert.equal(await lane.total(), 0);
  });

  test('what is sent is what the flame graph shows', async (t) => {
    for (let i = 0; i < BATCHES; i++) {
      await lane.send('a', lane.batches.a.next().bytes);
      await lane.send('b', lane.batches.b.next().bytes);
    }
    const large = lane.batches.a.large(LARGE_BYTES);
    assert.ok(large.bytes.length > 300 * 1024);
    await lane.send('a', large.bytes);
    const total = await until(
      () => lane.total(),
      (value) => value >= lane.sent,
    );
    assert.equal(total, lane.sent);
    console.log(`deploy lane: sent ${lane.sent} samples, flame graph total ${total}`);
    const ofB = `{service_name="shop",cluster="b"}`;
    assert.equal(await lane.totalOf(ofB), lane.batches.b.samples);
    t.diagnostic(`${2 * BATCHES + 1} batches, one of ${large.bytes.length} bytes by way of the object store`);
  });

  test('an agent in a pod of the cluster is heard, and its samples are found', async () => {
    const selector = '{cluster="b",service_name!="shop"}';
    const waiting = await withAgent(lane, 'b', async () => {
      await until(
        () => lane.totalOf(selector),
        (total) => total > 0,
      );
    });
    assert.equal(waiting, 0);
    const { out } = await lane.cli('cluster', 'show', 'b', '--output', 'json');
    assert.deepEqual(
      JSON.parse(out).agents.map(({ node }: { node: string }) => node),
      [AGENT_NODE],
    );
  });

  compactionTests(() => lane);
  fanOutTests(() => lane);
  accessTests(() => lane);
  faultTests(() => lane);
  roleTests(() => lane);
  pageTests(() => lane);

  for (const { name, meet } of KNOWN_GAPS) {
    test(`known gap of the stand-in: ${name}`, async () => {
      await assert.rejects(
        () => meet(rootOf(cloud, HUB_ACCOUNT)),
        `the stand-in has closed a gap: remove "${name}"`,
      );
    });
  }
}

const cloud = await startCloud();
if ('lacks' in cloud) console.log(`the deploy lane is left out: this machine has no ${cloud.lacks}`);
else describe('a hub on MiniStack', () => laneTests(cloud));
