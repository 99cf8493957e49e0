import middy from '@middy/core';
import { RetryableError } from '../core/errors.ts';
import { deleteMarkedBlocks } from '../pipeline/compact-blocks.ts';
import { enforceRetention } from '../pipeline/enforce-retention.ts';
import { forgetAgents } from '../pipeline/forget-agents.ts';
import type { Hub } from '../pipeline/hub.ts';
import { compileLinearRegex } from '../pipeline/linear-regex.ts';
import { rewriteBlocks } from '../pipeline/rewrite-blocks.ts';
import { scrubBlocks } from '../pipeline/scrub-blocks.ts';
import { sumAllLoss } from '../pipeline/sum-loss.ts';
import { sweepOrphans } from '../pipeline/sweep-orphans.ts';
import type { HousekeepingEvent, HousekeepingTask } from './environment.ts';
import { type InvocationContext, once, withTelemetry } from './invocation.ts';
import { type FunctionHub, openHub } from './open-hub.ts';
import { isUp, timeLimit } from './time-limit.ts';

/** What each schedule of environment.ts does. All of them may be cut off anywhere, and go on with the next run. */
const TASKS: Record<HousekeepingTask, (hub: Hub) => Promise<unknown>> = {
  'delete-blocks': async (hub) => {
    while ((await deleteMarkedBlocks(hub)) > 0);
  },
  'sum-loss': sumAllLoss,
  'enforce-retention': (hub) => enforceRetention(hub, { dryRun: false }),
  'rewrite-blocks': rewriteBlocks,
  'sweep-orphans': (hub) => sweepOrphans(hub, { dryRun: false }),
  'scrub-blocks': (hub) => scrubBlocks(hub),
  'forget-agents': forgetAgents,
};

/** Called by schedules: what a hub has to do besides compaction so that it stays as it is. */
export function housekeeperHandler(open: () => FunctionHub) {
  return middy<HousekeepingEvent, { done: boolean }>({ timeoutEarlyInMillis: 0 })
    .use(withTelemetry(open))
    .handler(async ({ task }, context) => {
      if (!Object.hasOwn(TASKS, task)) throw new Error(`there is no task ${JSON.stringify(task)}`);
      const { hub } = open();
      hub.telemetry.count('housekeeping_runs_total', 1, { task });
      const done = await runWithinTime(hub, task, context);
      if (!done) {
        hub.telemetry.count('housekeeping_late_runs_total', 1);
        hub.telemetry.log('warn', `${task}: time is up, the next run goes on`);
      }
      return { done };
    });
}

async function runWithinTime(hub: Hub, task: HousekeepingTask, context: InvocationContext): Promise<boolean> {
  const limited = timeLimit(context, (message) => new RetryableError(message));
  const within = {
    objects: limited(hub.objects, ['delete']),
    catalog: limited(hub.catalog),
    codec: limited(hub.codec),
  };
  try {
    await TASKS[task]({ ...hub, ...within });
    return true;
  } catch (error) {
    if (error instanceof RetryableError && isUp(context)) return false;
    throw error;
  }
}

// Deletions and policies may have regular expressions.
export const handler = housekeeperHandler(
  once(() => openHub({ service: 'housekeeper', compileRegex: compileLinearRegex })),
);
