import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { compareSums } from './check-blocks.ts';
import { addTo, type Sums } from './expected-sums.ts';
import { SimulatedYear } from './simulated-year.ts';

// The year itself is a lane of its own: npm run simulate.

test('two days of five nodes with faults: every sum is what came', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'cinderblock-simulation-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const seed = Number(process.env.CINDERBLOCK_SEED ?? 1);
  const year = new SimulatedYear({
    days: 2,
    scale: 2,
    seed,
    folder,
    shape: { clusters: { a: 3, b: 2 }, slots: 2 },
  });
  await year.run().catch((cause) => {
    throw new Error(`repeat with CINDERBLOCK_SEED=${seed}`, { cause });
  });
  const { batches, figures } = year.result();
  assert.ok(batches > 5 && figures.compared > 100, `${batches} batches, ${figures.compared} sums`);
  assert.deepEqual(Object.keys(figures.steps).sort(), ['close', 'seal']);
});

test('a sum that is lost, doubled or one too many is found', () => {
  const sums = (...entries: readonly [string, number][]): Sums => {
    const all: Sums = new Map();
    for (const [key, value] of entries) addTo(all, key, BigInt(value), 1);
    return all;
  };
  const came = sums(['a', 1], ['b', 2]);
  assert.equal(compareSums(sums(['b', 2], ['a', 1]), came, 'equal'), 2);
  for (const wrong of [
    sums(['a', 1]),
    sums(['a', 1], ['b', 2], ['b', 2]),
    sums(['a', 1], ['b', 2], ['c', 0]),
  ])
    assert.throws(() => compareSums(wrong, came, 'wrong'), /1 sums differ/);
});
