import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import type { Telemetry } from '../pipeline/hub.ts';

/** CloudWatch namespace of every metric of the product. */
const NAMESPACE = 'Cinderblock';

/** Most values of one label that an invocation notes. */
const LABEL_VALUES_MAX = 10;

/** Telemetry of one function: log lines at once, metrics once per invocation. */
export interface FunctionTelemetry extends Telemetry {
  /** Begins an invocation: its log lines name the request. */
  begin(requestId: string): void;
  /** Ends it: everything that was counted goes out as one line. */
  flush(): void;
}

/**
 * JSON log lines, and metrics in CloudWatch's embedded format. Each distinct set of dimensions of a metric is billed as
 * a metric of its own, so that the only ones are the service, which is the function, and the stage. Labels such as the
 * cluster are kept beside the metrics, where Logs Insights finds them.
 */
export function createTelemetry({ service, stage }: { service: string; stage: string }): FunctionTelemetry {
  const logger = new Logger({ serviceName: service, persistentKeys: { stage } });
  const metrics = new Metrics({ namespace: NAMESPACE, serviceName: service, defaultDimensions: { stage } });
  const sums = new Map<string, number>();
  const labelValues = new Map<string, Set<string>>();

  function note(labels: Readonly<Record<string, string>> = {}): void {
    for (const [label, value] of Object.entries(labels)) {
      const values = labelValues.get(label) ?? new Set();
      labelValues.set(label, values);
      if (values.size < LABEL_VALUES_MAX) values.add(value);
    }
  }

  function count(name: string, value: number, labels?: Readonly<Record<string, string>>): void {
    sums.set(name, (sums.get(name) ?? 0) + value);
    note(labels);
  }

  // This code runs once per environment of the function.
  count('cold_starts_total', 1);

  return {
    count,
    gauge(name, value, labels) {
      sums.set(name, value);
      note(labels);
    },
    log: (level, message, fields = {}) => logger[level](message, { ...fields }),
    begin: (requestId) => logger.appendKeys({ requestId }),
    flush() {
      if (sums.size === 0) return;
      for (const [name, value] of sums) metrics.addMetric(name, unitOf(name), value);
      for (const [label, values] of labelValues) metrics.addMetadata(label, [...values].join(','));
      sums.clear();
      labelValues.clear();
      metrics.publishStoredMetrics();
    },
  };
}

/** By the ending of its name, as Prometheus asks for. */
function unitOf(name: string) {
  if (/_bytes(_total)?$/.test(name)) return MetricUnit.Bytes;
  return /_seconds(_total)?$/.test(name) ? MetricUnit.Seconds : MetricUnit.Count;
}
