// Law: under any order of calls, by either of two clients, the queue answers as a naive list would: nothing lost, nothing
// delivered while hidden, counts exact, stale receipts without effect.
import { test } from 'node:test';
import { sqliteBatchQueue } from '../../../storage/embedded/sqlite-batch-queue.ts';
import { TestClock } from '../../contracts/adapter.ts';
import { batchQueueSteps } from '../../contracts/batch-queue.walk.ts';
import { fuzzWalks } from '../../contracts/fuzz-walk.ts';
import { onSqlite } from './sqlite-adapter.ts';

const MAX_RECEIVES = 3;
const open = onSqlite((database, clock) => sqliteBatchQueue(database, clock, MAX_RECEIVES));

test('the queue does as a naive list does', () =>
  fuzzWalks(8, 300, async (chance) => {
    const clock = new TestClock();
    const { port, another, close } = await open(clock, undefined);
    return { steps: batchQueueSteps([port, await another()], clock, MAX_RECEIVES, chance), close };
  }));
