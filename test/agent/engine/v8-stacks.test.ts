import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeOtlp } from '../../../agent/node/otlp-writer.ts';
import { type V8Profile, v8Stacks } from '../../../agent/node/v8-stacks.ts';
import { BlockBuilder } from '../../../core/block/block-builder.ts';
import { labelsOf } from '../../../core/labels/labels.ts';
import { CPU_PROFILE_TYPE } from '../../../core/labels/profile-type.ts';
import { addOtlp } from '../../../core/otlp/decode-otlp.ts';
import { exactTotal, sampleCount } from '../../../core/profile/profile-rows.ts';

const node = (id: number, functionName: string, children: number[] = [], url = '') => ({
  id,
  callFrame: { functionName, url, lineNumber: 4 },
  children,
});
const profile: V8Profile = {
  nodes: [
    node(1, '(root)', [2, 3, 4]),
    node(2, '(idle)'),
    node(3, '(program)'),
    node(4, 'main', [5], 'file:///app/main.js'),
    node(5, '', [], 'file:///app/main.js'),
  ],
  samples: [2, 2, 2, 3, 3, 3, 3, 4, 5, 5],
};

test('counts what ran, and native code only as far as CPU was used', () => {
  const { stacks, samples } = v8Stacks(profile, 5);
  assert.equal(samples, 5);
  assert.deepEqual(
    stacks.map(([frames, count]) => [frames.map((frame) => frame.functionName), count]),
    [
      [['main'], 1],
      [['(anonymous)', 'main'], 2],
      [['(program)'], 2],
    ],
  );
  assert.deepEqual(stacks[0]![0][0], { functionName: 'main', file: '/app/main.js', line: 5, type: 'v8js' });
  assert.equal(v8Stacks(profile, 0).samples, 3);
  assert.equal(v8Stacks({ nodes: [] }, 5).samples, 0);
});

test('comes back out of OTLP with its samples, values and names', () => {
  const { stacks, samples } = v8Stacks(profile, 5);
  const resource = new Map<string, string | number>([
    ['process.pid', 7],
    ['process.executable.name', 'node'],
  ]);
  const bytes = writeOtlp({
    resource,
    startMs: 1_700_000_000_000,
    durationMs: 10_000,
    periodNs: 1_000_000,
    samples: stacks,
  });
  const dataset = new BlockBuilder().dataset('s');
  const labels = labelsOf([['service_name', 's']]);
  const seen: unknown[] = [];
  const summary = addOtlp(bytes, {
    now: 0,
    target: (attributes) => {
      seen.push(attributes.get('process.pid'), attributes.get('process.executable.name'));
      return { dataset, labels, batch: 0 };
    },
  });
  assert.deepEqual(seen, [7, 'node']);
  assert.deepEqual([summary.samples, summary.rejectedProfiles], [samples, 0]);
  const rows = dataset.rowsOf(CPU_PROFILE_TYPE);
  assert.equal(rows.start[0], 1_700_000_000_000);
  assert.equal(rows.duration[0], 10_000);
  assert.equal(sampleCount(rows), 5);
  assert.equal(exactTotal(rows), 5_000_000n);
  for (const name of ['main', '(anonymous)', '(program)', '/app/main.js'])
    assert.ok(dataset.symbols.strings.find(name) > 0);
});
