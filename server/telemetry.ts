import type { Telemetry } from '../pipeline/hub.ts';

type Level = Parameters<Telemetry['log']>[0];

const LEVELS: readonly Level[] = ['debug', 'info', 'warn', 'error'];

/** Every metric is named after the product, as Prometheus asks. */
const PREFIX = 'cinderblock_';

/** Most series of one metric: labels come from requests too, and must not fill the memory. */
const SERIES_PER_METRIC_MAX = 1000;

export interface ServerTelemetry extends Telemetry {
  /** All metrics in Prometheus' text format, version 0.0.4. */
  metricsText(): string;
  /** Sum of a counter over all its labels. */
  sum(name: string): number;
}

interface Metric {
  type: 'counter' | 'gauge';
  /** By labels as they are printed. */
  series: Map<string, number>;
}

export interface TelemetryOptions {
  /** Log lines below this level are left out. */
  level: Level;
  clock: () => number;
  write: (line: string) => void;
}

/** Counts in memory, and writes log lines of one line each. */
export function createTelemetry({ level, clock, write }: TelemetryOptions): ServerTelemetry {
  const metrics = new Map<string, Metric>();

  function update(
    type: Metric['type'],
    name: string,
    labels: Readonly<Record<string, string>>,
    value: number,
  ) {
    let metric = metrics.get(name);
    if (!metric) metrics.set(name, (metric = { type, series: new Map() }));
    const key = labelsText(labels);
    const known = metric.series.get(key);
    if (known === undefined && metric.series.size >= SERIES_PER_METRIC_MAX) return;
    metric.series.set(key, type === 'counter' ? (known ?? 0) + value : value);
  }

  return {
    count: (name, value, labels = {}) => update('counter', name, labels, value),
    gauge: (name, value, labels = {}) => update('gauge', name, labels, value),
    log(lineLevel, message, fields) {
      if (LEVELS.indexOf(lineLevel) < LEVELS.indexOf(level)) return;
      write(`${new Date(clock()).toISOString()} ${lineLevel} ${printable(message)}${fieldsText(fields)}\n`);
    },
    metricsText: () =>
      [...metrics].map(([name, metric]) => metricText(name, metric)).join('') + processText(),
    sum(name) {
      let sum = 0;
      for (const value of metrics.get(name)?.series.values() ?? []) sum += value;
      return sum;
    },
  };
}

/** Names in messages come from profiles and requests: no control character of theirs may reach a terminal or a log. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (char) =>
    char === '\n' ? '\\n' : `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function fieldsText(fields: object | undefined): string {
  const entries = Object.entries(fields ?? {});
  return entries.length === 0 ? '' : ` ${printable(JSON.stringify(Object.fromEntries(entries)))}`;
}

function metricText(name: string, { type, series }: Metric): string {
  const lines = [...series].map(([labels, value]) => `${PREFIX}${name}${labels} ${value}\n`);
  return `# TYPE ${PREFIX}${name} ${type}\n${lines.join('')}`;
}

function labelsText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeLabel(value: string): string {
  return value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
}

function processText(): string {
  const { rss } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  return [
    '# TYPE process_resident_memory_bytes gauge',
    `process_resident_memory_bytes ${rss}`,
    '# TYPE process_cpu_seconds_total counter',
    `process_cpu_seconds_total ${(user + system) / 1e6}`,
    '# TYPE process_start_time_seconds gauge',
    `process_start_time_seconds ${((performance.timeOrigin ?? 0) / 1000).toFixed(3)}`,
    '',
  ].join('\n');
}
