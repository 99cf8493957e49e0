import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_COMPACTION_RULES as RULES } from '../../../core/compaction/compaction-rules.ts';
import { dueSince } from '../../../core/compaction/due-time.ts';
import type { CompactionInput } from '../../../core/compaction/plan-compaction.ts';
import { planCompaction } from './plan-days.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** A whole day. */
const START = 19_700 * DAY;

const block = (blockId: string, minTime: number, createdAt: number): CompactionInput => ({
  ...{ blockId, level: 0, resolutionSeconds: 0, minTime, maxTime: minTime + MINUTE, size: 1 },
  ...{ createdAt, batchIds: [`c/n/b/${blockId}`], datasets: [{ service: 'shop' }] },
});

/** When the first job of these blocks is planned, minute by minute, and since when it says that it is due. */
function firstJob(blocks: readonly CompactionInput[], from: number) {
  for (let now = from; ; now += MINUTE) {
    const [job] = planCompaction(blocks, now, RULES);
    if (job === undefined) continue;
    return { step: job.step, now, since: dueSince(job, blocks, RULES) };
  }
}

test('a job is due from the minute in which it is first planned', () => {
  const twelve = Array.from({ length: 12 }, (_, i) => block(`g${i}`, START + i * MINUTE, START + i * MINUTE));
  const cases: [string, CompactionInput[]][] = [
    ['gather', twelve],
    ['close', [block('a', START, START + MINUTE), block('b', START, START + 2 * MINUTE)]],
  ];
  for (const [step, blocks] of cases) {
    // A plan knows blocks once they are there.
    const { step: planned, now, since } = firstJob(blocks, Math.max(...blocks.map((one) => one.createdAt)));
    assert.equal(planned, step);
    assert.equal(now, since, step);
  }
});

test('a day waits since it may be sealed, however old its blocks are', () => {
  const blocks = [block('a', START + 5 * HOUR, START + 7 * HOUR), block('b', START + 9 * HOUR, START + DAY)];
  const [job, other] = planCompaction(blocks, START + DAY + RULES.sealAfterMs, RULES);
  assert.deepEqual([job!.step, other], ['seal', undefined]);
  assert.equal(dueSince(job!, blocks, RULES), START + DAY + RULES.sealAfterMs);
  const late = [...blocks, block('c', START + 6 * HOUR, START + 9 * DAY)];
  assert.equal(dueSince(job!, late, RULES), START + 9 * DAY, 'what came later is not late for longer');
});

test('a long range waits since all of it may be sealed', () => {
  const joinMs = RULES.resolutions.at(-1)!.joinMs;
  const at = Math.ceil(START / joinMs) * joinMs;
  const days = [0, 1].map((i) => ({ minTime: at + i * DAY, createdAt: at + 6 * DAY }));
  assert.equal(
    dueSince({ step: 'join', resolutionSeconds: 86_400 }, days, RULES),
    at + joinMs + RULES.sealAfterMs,
  );
});
