import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RejectedError, RetryableError } from '../../core/errors.ts';
import { runCompactionJob } from '../../pipeline/compact-blocks.ts';
import { deleteProfiles } from '../../pipeline/delete-profiles.ts';
import { enforceRetention } from '../../pipeline/enforce-retention.ts';
import { setRetention } from '../../pipeline/retention-policies.ts';
import { type BlockJobRunner, rewriteBlocks } from '../../pipeline/rewrite-blocks.ts';
import { runAll } from '../../pipeline/run-all.ts';
import { SETTLE_MS } from '../../pipeline/tombstone-store.ts';
import { DAY, filledHub, START } from './kill-at-every-step.ts';

test('one for which storage does not answer keeps no other waiting, and is told of in the end', async () => {
  const done: number[] = [];
  const run = async (item: number) => {
    if (item % 3 === 0) throw new RetryableError(`no answer for ${item}`);
    done.push(item);
  };
  await assert.rejects(runAll([1, 3, 5, 6, 7], run), /no answer for 3/);
  assert.deepEqual(done, [1, 5, 7]);
});

test('what is refused ends it at once', async () => {
  const done: number[] = [];
  const run = async (item: number) => {
    done.push(item);
    if (item === 2) throw new RejectedError('invalid', 'no');
  };
  await assert.rejects(runAll([1, 2, 3], run), RejectedError);
  assert.deepEqual(done, [1, 2]);
});

/** Storage never answers for what the first job asks of it. */
function failingFirst(hub: Parameters<typeof runCompactionJob>[0]): { run: BlockJobRunner; tried: string[] } {
  const tried: string[] = [];
  const run: BlockJobRunner = async (job) => {
    tried.push(job.group);
    if (tried.length === 1) throw new RetryableError('slow down');
    return runCompactionJob(hub, job);
  };
  return { run, tried };
}

test('a block that storage does not give keeps neither retention nor deletion from the others', async () => {
  const { hub } = await filledHub();
  const keepMs = { raw: 5 * DAY, fiveMinutes: 5 * DAY, hour: 5 * DAY };
  await setRetention(hub, [{ selector: '{service_name="shop"}', keepMs }]);
  const { partly } = await enforceRetention(hub, { dryRun: true });
  const expiry = failingFirst(hub);
  await assert.rejects(enforceRetention(hub, { dryRun: false }, expiry.run), /slow down/);
  assert.ok(partly > 1);
  assert.equal(expiry.tried.length, partly);
  assert.equal((await enforceRetention(hub, { dryRun: false })).rewritten, 1, 'the others are done');

  await deleteProfiles(hub, {
    selector: '{service_name="cart"}',
    start: START,
    end: hub.now,
    reason: 'test',
  });
  hub.now += SETTLE_MS;
  const rewrite = failingFirst(hub);
  await assert.rejects(rewriteBlocks(hub, rewrite.run), /slow down/);
  assert.ok(rewrite.tried.length > 1);
  assert.equal((await rewriteBlocks(hub)).rewritten, 1);
});
