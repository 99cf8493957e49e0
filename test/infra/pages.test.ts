// What pages and models say of a deployment, against what is deployed.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { HUB_SHAPE } from '../../bench/cost/hub-shape.ts';
import { parseHubConfig } from '../../lib/config.ts';
import { ROOT } from '../source-tree.ts';
import { synthesizedHub } from './synthesized.ts';

const page = (name: string) => readFileSync(join(ROOT, 'docs', name), 'utf8');

/** The JSON examples of a page. */
function examplesOf(name: string): Record<string, unknown>[] {
  return [...page(name).matchAll(/^```json\n(.*?)^```/gms)].map(([, json]) => JSON.parse(json!));
}

test('configurations in the pages are valid', () => {
  const [whole, toPlayWith] = examplesOf('deploy.md');
  assert.equal(parseHubConfig(whole, 'deploy.md').stage, 'prod');
  assert.equal(parseHubConfig(toPlayWith, 'deploy.md').retainData, false);
  const [entry] = examplesOf('onboarding.md');
  const { clusters } = parseHubConfig({ ...whole, clusters: [entry] }, 'onboarding.md');
  assert.equal(clusters[0]!.cluster, 'prod-eu-1');
});

test('deploy.md says every field of the configuration, and every output', () => {
  const fields = Object.keys(parseHubConfig({ region: 'eu-central-1', organizationId: undefined }, 'test'));
  const optional = ['account', 'organizationId', 'alarmEmail', 'monthlyBudgetUsd'];
  const text = page('deploy.md');
  for (const field of [...fields, ...optional]) assert.ok(text.includes(`\`${field}\``), field);
  const { ingest, query } = synthesizedHub();
  const outputs = Object.keys({ ...ingest.json.Outputs, ...query.json.Outputs });
  // Others hand values from stack to stack.
  for (const output of outputs.filter((name) => !name.startsWith('PublishOutput'))) {
    assert.ok(text.includes(`\`${output}\``), output);
  }
});

test('the model of costs has the settings that are deployed', () => {
  const hub = synthesizedHub();
  const functions = Object.values(hub).flatMap((stack) => stack.all('AWS::Lambda::Function'));
  const memoryOf = (name: string) => functions.find(({ id }) => id.startsWith(name))?.Properties.MemorySize;
  assert.equal(memoryOf('Ingest'), HUB_SHAPE.ingestMemoryMb);
  assert.equal(memoryOf('Processor'), HUB_SHAPE.processorMemoryMb);
  assert.equal(memoryOf('Query'), HUB_SHAPE.queryMemoryMb);
  assert.equal(memoryOf('CompactionPlanner'), HUB_SHAPE.plannerMemoryMb);
  assert.equal(memoryOf('CompactionWorker'), HUB_SHAPE.workerMemoryMb);
  const [recent] = hub.compaction.all('AWS::Scheduler::Schedule');
  assert.equal(recent!.Properties.ScheduleExpression, `rate(${HUB_SHAPE.planSeconds / 60} minutes)`);
  const { Properties } = hub.ingest.one('AWS::Lambda::EventSourceMapping');
  assert.equal(Properties.BatchSize, HUB_SHAPE.processorBatches);
  assert.equal(Properties.MaximumBatchingWindowInSeconds, HUB_SHAPE.processorWindowSeconds);
  const alarms = Object.values(hub).flatMap((stack) => stack.all('AWS::CloudWatch::Alarm'));
  const metrics = alarms.map(
    ({ Properties: { Metrics = [{ MetricStat: {} }] } }) =>
      Metrics.filter((metric: { MetricStat?: object }) => metric.MetricStat !== undefined).length,
  );
  assert.equal(
    metrics.reduce((sum, count) => sum + count, 0),
    HUB_SHAPE.alarmMetrics,
  );
});
