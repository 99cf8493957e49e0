import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTelemetry, printable } from '../../server/telemetry.ts';

function open(level: 'debug' | 'info' | 'warn' | 'error' = 'info') {
  const lines: string[] = [];
  return { lines, telemetry: createTelemetry({ level, clock: () => 0, write: (line) => lines.push(line) }) };
}

test('counters add up, gauges are set, labels are escaped', () => {
  const { telemetry } = open();
  telemetry.count('requests_total', 1, { route: '/a' });
  telemetry.count('requests_total', 2, { route: '/a' });
  telemetry.count('requests_total', 4, { route: 'q"\\\n' });
  telemetry.gauge('depth', 9);
  telemetry.gauge('depth', 3);
  const text = telemetry.metricsText();
  assert.ok(
    text.startsWith('# TYPE cinderblock_requests_total counter\ncinderblock_requests_total{route="/a"} 3\n'),
  );
  assert.ok(text.includes('cinderblock_requests_total{route="q\\"\\\\\\n"} 4\n'));
  assert.ok(text.includes('# TYPE cinderblock_depth gauge\ncinderblock_depth 3\n'));
  assert.equal(telemetry.sum('requests_total'), 7);
});

test('labels that callers make up cannot fill the memory', () => {
  const { telemetry } = open();
  for (let i = 0; i < 5000; i++) telemetry.count('x', 1, { label: String(i) });
  assert.ok(telemetry.metricsText().split('\n').length < 1100);
});

test('a log entry is one line, whatever names it carries', () => {
  const { telemetry, lines } = open();
  telemetry.log('warn', 'bad\nname \u001b[31mred\u0000 \u2028', { name: 'a\nb' });
  telemetry.log('debug', 'not shown');
  assert.deepEqual(lines, [
    '1970-01-01T00:00:00.000Z warn bad\\nname \\u001b[31mred\\u0000 \\u2028 {"name":"a\\nb"}\n',
  ]);
  assert.equal(printable('plain – text'), 'plain – text');
});
