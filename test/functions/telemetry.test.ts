import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createTelemetry, type FunctionTelemetry, type TelemetryOptions } from '../../functions/telemetry.ts';
import { NOW } from '../pipeline/fixtures.ts';

// biome-ignore lint/suspicious/noExplicitAny: log lines are compared field by field.
type Line = any;

/** What `act` writes to the streams of this process, line by line. */
function linesOf(t: TestContext, act: () => void): Line[] {
  const written: string[] = [];
  const take = (chunk: string | Uint8Array) => Boolean(written.push(String(chunk)));
  const mocks = [process.stdout, process.stderr].map((stream) =>
    t.mock.method(stream, 'write', take as never),
  );
  try {
    act();
  } finally {
    for (const { mock } of mocks) mock.restore();
  }
  return written.map((line) => JSON.parse(line));
}

function openTelemetry(options: Partial<TelemetryOptions> = {}): FunctionTelemetry {
  return createTelemetry({ service: 'ingest', stage: 'prod', ...options });
}

test('metrics go out once per invocation, with service and stage as the only dimensions', (t) => {
  const telemetry = openTelemetry();
  const lines = linesOf(t, () => {
    for (let i = 0; i < 300; i++)
      telemetry.count('batches_total', 1, { cluster: `c${i % 2}`, outcome: 'recorded' });
    telemetry.count('batches_bytes_total', 5);
    telemetry.gauge('depth', 3);
    telemetry.gauge('depth', 2);
    telemetry.flush();
  });
  assert.equal(lines.length, 1);
  const [{ _aws, ...values }] = lines;
  assert.deepEqual(_aws.CloudWatchMetrics, [
    {
      Namespace: 'Cinderblock',
      Dimensions: [['service', 'stage']],
      Metrics: [
        { Name: 'cold_starts_total', Unit: 'Count' },
        { Name: 'batches_total', Unit: 'Count' },
        { Name: 'batches_bytes_total', Unit: 'Bytes' },
        { Name: 'depth', Unit: 'Count' },
      ],
    },
  ]);
  assert.deepEqual(values, {
    ...{ service: 'ingest', stage: 'prod', cluster: 'c0,c1', outcome: 'recorded' },
    ...{ cold_starts_total: 1, batches_total: 300, batches_bytes_total: 5, depth: 2 },
  });
});

test('the next invocation begins at zero, keeps the dimensions, and says nothing of nothing', (t) => {
  const telemetry = openTelemetry();
  linesOf(t, () => telemetry.flush());
  assert.deepEqual(
    linesOf(t, () => telemetry.flush()),
    [],
  );
  const [line] = linesOf(t, () => {
    telemetry.count('batches_total', 1);
    telemetry.flush();
  });
  assert.deepEqual(line._aws.CloudWatchMetrics[0].Dimensions, [['service', 'stage']]);
  assert.deepEqual([line.batches_total, line.stage, line.cold_starts_total], [1, 'prod', undefined]);
});

test('a function with an invocation per batch sums up: at once, then one line a minute, and nothing is forgotten', (t) => {
  let now = NOW;
  const telemetry = openTelemetry({ metricsEveryMs: 60_000, clock: () => now });
  const lines = linesOf(t, () => {
    for (let second = 0; second < 180; second++) {
      telemetry.count('ingest_batches_total', 1);
      telemetry.flush();
      now += 1000;
    }
  });
  assert.deepEqual(
    lines.map((line) => line.ingest_batches_total),
    [1, 60, 60],
  );
});

test('many labels do not make a long line', (t) => {
  const telemetry = openTelemetry();
  const [line] = linesOf(t, () => {
    for (let i = 0; i < 1000; i++) telemetry.count('n_total', 1, { cluster: `c${i}` });
    telemetry.flush();
  });
  assert.equal(line.cluster.split(',').length, 10);
});

test('log lines are JSON that names the function and the request', (t) => {
  const telemetry = openTelemetry();
  const [line, ...more] = linesOf(t, () => {
    telemetry.begin('request-1');
    telemetry.log('debug', 'not at this level');
    telemetry.log('error', 'batch x\nfailed', { batchId: 'x' });
  });
  assert.equal(more.length, 0);
  assert.partialDeepStrictEqual(line, {
    ...{ level: 'ERROR', message: 'batch x\nfailed', batchId: 'x' },
    ...{ service: 'ingest', stage: 'prod', requestId: 'request-1' },
  });
});
