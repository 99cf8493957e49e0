import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createTelemetry, type TelemetryOptions } from '../../functions/telemetry.ts';

/** Telemetry, and the lines of metrics that it wrote. */
function watched(t: TestContext, options: Partial<TelemetryOptions> = {}) {
  const written: string[] = [];
  t.mock.method(process.stdout, 'write', (text: string) => written.push(text) > 0);
  const telemetry = createTelemetry({ service: 'ingest', stage: 'test', ...options });
  const lines = () => written.splice(0).map((line) => JSON.parse(line));
  return { telemetry, lines };
}

test('what an invocation counts is one line, with service and stage as the only dimensions', (t) => {
  const { telemetry, lines } = watched(t);
  telemetry.count('ingest_batches_total', 1, { cluster: 'a' });
  telemetry.count('ingest_batches_total', 2, { cluster: 'b' });
  telemetry.count('ingest_bytes_total', 100);
  telemetry.flush();
  telemetry.flush();
  const [line, ...others] = lines();
  assert.deepEqual(others, []);
  const { Namespace, Dimensions, Metrics } = line._aws.CloudWatchMetrics[0];
  assert.equal(Namespace, 'Cinderblock');
  assert.deepEqual(Dimensions, [['service', 'stage']]);
  assert.deepEqual(
    Metrics.map(({ Name, Unit }: { Name: string; Unit: string }) => `${Name} ${Unit}`),
    ['cold_starts_total Count', 'ingest_batches_total Count', 'ingest_bytes_total Bytes'],
  );
  assert.equal(line.ingest_batches_total, 3);
  assert.equal(line.cluster, 'a,b');
});

test('a function with an invocation per batch sums up: at once, then one line a minute, and nothing is forgotten', (t) => {
  let now = 1_760_000_000_000;
  const { telemetry, lines } = watched(t, { metricsEveryMs: 60_000, clock: () => now });
  let told = 0;
  let count = 0;
  for (let second = 0; second < 180; second++) {
    telemetry.count('ingest_batches_total', 1);
    telemetry.flush();
    now += 1000;
    for (const line of lines()) {
      count++;
      told += line.ingest_batches_total;
    }
  }
  assert.equal(count, 3);
  assert.equal(told, 121);
});
