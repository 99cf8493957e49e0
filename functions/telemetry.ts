import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics, MetricUnit } from '@aws-lambda-powertools/metrics';
import type { Telemetry } from '../pipeline/hub.ts';

/** CloudWatch namespace of every metric of the product. */
const NAMESPACE = 'Cinderblock';

/** Most values of one label that an invocation notes. */
const LABEL_VALUES_MAX = 10;

/** Telemetry of one function: log lines at once, metrics at the end of invocations. */
export interface FunctionTelemetry extends Telemetry {
  /** Begins an invocation: its log lines name the request. */
  begin(requestId: string): void;
  /** Ends it: everything that was counted goes out as one line, unless one went out a moment ago. */
  flush(): void;
}

export interface TelemetryOptions {
  /** Name of the function. */
  readonly service: string;
  readonly stage: string;
  /**
   * Least time between two lines of metrics. Each line is billed as logs, so a function with an invocation per batch
   * sums up. What was counted since the last line is gone when its environment is: not for what alarms look at.
   * @default 0: a line per invocation
   */
  readonly metricsEveryMs?: number;
  /** Now, ms since epoch. */
  readonly clock?: () => number;
}

/**
 * JSON log lines, and metrics in CloudWatch's embedded format. Each distinct set of dimensions of a metric is billed as
 * a metric of its own, so that the only ones are the service, which is the function, and the stage. Labels such as the
 * cluster are kept beside the metrics, where Logs Insights finds them.
 */
export function createTelemetry(options: TelemetryOptions): FunctionTelemetry {
  const { service, stage, metricsEveryMs = 0, clock = Date.now } = options;
  const logger = new Logger({ serviceName: service, persistentKeys: { stage } });
  const metrics = new Metrics({ namespace: NAMESPACE, serviceName: service, defaultDimensions: { stage } });
  const sums = new Map<string, number>();
  const labelValues = new Map<string, Set<string>>();
  let nextLine = 0;

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
      if (sums.size === 0 || clock() < nextLine) return;
      nextLine = clock() + metricsEveryMs;
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
