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

/** Of `rate(5 minutes)`: 300. */
function secondsBetween(rate: string): number {
  const [, count, unit] = rate.match(/^rate\((\d+) (minute|hour|day)s?\)$/)!;
  return Number(count) * { minute: 60, hour: 3600, day: 86_400 }[unit as 'minute' | 'hour' | 'day'];
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

test('deploy.md says every stack, and its functions', () => {
  const rows = new Map(
    [...page('deploy.md').matchAll(/^\| `Cinderblock-Prod-(\w+)` \| (.*) \|$/gm)].map(([, name, holds]) => [
      name!,
      holds!,
    ]),
  );
  for (const [name, stack] of Object.entries(synthesizedHub())) {
    const holds = rows.get(name[0]!.toUpperCase() + name.slice(1));
    assert.ok(holds !== undefined, name);
    const functions = stack.all('AWS::Lambda::Function').filter(({ id }) => !id.startsWith('Custom'));
    for (const { id } of functions) {
      // CompactionPlannerE50C3FA5: compaction-planner; CompactionHousekeeper4AD462B8: housekeeper.
      const words = id.slice(0, -8).split(/(?=[A-Z])/);
      const names = [words.join('-').toLowerCase(), words.at(-1)!.toLowerCase()];
      assert.ok(
        names.some((one) => holds.includes(`\`${one}\``)),
        `${name}: ${names[0]}`,
      );
    }
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
  assert.equal(memoryOf('CompactionHousekeeper'), HUB_SHAPE.housekeeperMemoryMb);
  const schedules = hub.compaction.all('AWS::Scheduler::Schedule');
  const secondsOf = (name: string) =>
    secondsBetween(schedules.find(({ id }) => id.startsWith(name))!.Properties.ScheduleExpression);
  assert.equal(secondsOf('CompactionPlansFresh'), HUB_SHAPE.planSeconds);
  assert.equal(secondsOf('CompactionPlansAll'), HUB_SHAPE.planAllSeconds);
  assert.equal(secondsOf('CompactionTasksSumLoss'), HUB_SHAPE.lossSumSeconds);
  const tasks = schedules.filter(({ id }) => id.startsWith('CompactionTasks'));
  const calls = tasks.map(({ Properties }) => 86_400 / secondsBetween(Properties.ScheduleExpression));
  assert.equal(
    calls.reduce((sum, count) => sum + count, 0),
    HUB_SHAPE.housekeepingCallsPerDay,
  );
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
