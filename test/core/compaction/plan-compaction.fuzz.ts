// Laws of planning: no block is in two jobs, every job makes fewer blocks of what it takes, limits hold, the order of
// rows does not matter, and running plans until nothing is left to do comes to an end.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type CompactionInput,
  DEFAULT_COMPACTION_RULES,
  planCompaction,
} from '../../../core/compaction/plan-compaction.ts';
import { property } from '../block/fixtures.ts';

const HOUR = 3_600_000;
const RULES = { ...DEFAULT_COMPACTION_RULES, blocksMax: 20, bytesMax: 5000 };

function randomRows(random: () => number): CompactionInput[] {
  return Array.from({ length: Math.floor(random() * 200) }, (_, i) => {
    const minTime = Math.floor(random() * 4 * HOUR);
    return {
      blockId: `b${i}`,
      level: Math.floor(random() * 3),
      resolutionSeconds: random() < 0.1 ? 300 : 0,
      minTime,
      maxTime: minTime + 60_000,
      size: Math.floor(random() * 800),
    };
  });
}

test('plans are disjoint, within limits, and independent of the order of rows', () =>
  property('plan', (random) => {
    const rows = randomRows(random);
    const now = random() * 6 * HOUR;
    const jobs = planCompaction(rows, now, RULES);
    const used = jobs.flatMap((job) => job.blockIds);
    assert.equal(new Set(used).size, used.length);
    for (const job of jobs) {
      const inputs = job.blockIds.map((id) => rows.find((row) => row.blockId === id)!);
      assert.ok(inputs.length >= 2 && inputs.length <= RULES.blocksMax);
      assert.ok(inputs.reduce((sum, row) => sum + row.size, 0) <= RULES.bytesMax);
      assert.ok(inputs.every((row) => row.level < job.level && row.resolutionSeconds === 0));
      assert.equal(new Set(inputs.map((row) => Math.floor(row.minTime / HOUR))).size, 1);
    }
    assert.deepEqual(planCompaction([...rows].reverse(), now, RULES), jobs);
  }));

test('planning again after every plan comes to an end', () =>
  property('fixed point', (random) => {
    let rows = randomRows(random);
    const now = 3 * HOUR;
    for (let round = 0; ; round++) {
      assert.ok(round < 300, 'still planning after 300 rounds');
      const jobs = planCompaction(rows, now, RULES);
      if (jobs.length === 0) return;
      for (const job of jobs) {
        const inputs = rows.filter((row) => job.blockIds.includes(row.blockId));
        rows = rows.filter((row) => !job.blockIds.includes(row.blockId));
        rows.push({
          blockId: `${job.group}-${round}-${inputs[0]!.blockId}`,
          level: job.level,
          resolutionSeconds: 0,
          minTime: Math.min(...inputs.map((row) => row.minTime)),
          maxTime: Math.max(...inputs.map((row) => row.maxTime)),
          // Merged blocks share symbols, so they shrink; the worst case is that they do not.
          size: inputs.reduce((sum, row) => sum + row.size, 0),
        });
      }
    }
  }));
