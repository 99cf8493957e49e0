import middy from '@middy/core';
import { parseRollUpLabels, withRollUp } from '../core/compaction/compaction-rules.ts';
import { RetryableError } from '../core/errors.ts';
import { runCompactionJob } from '../pipeline/compact-blocks.ts';
import type { Hub } from '../pipeline/hub.ts';
import { fromJobMessage } from '../pipeline/job-message.ts';
import { compileLinearRegex } from '../pipeline/linear-regex.ts';
import type { CompactorEnvironment } from './environment.ts';
import { type InvocationContext, once, withTelemetry } from './invocation.ts';
import { type FunctionHub, openHub } from './open-hub.ts';
import type { SqsResult } from './processor.ts';
import type { Variables } from './read-environment.ts';
import { timeLimit } from './time-limit.ts';

/** Messages of the queue of jobs, as far as they are used. */
export interface JobsEvent {
  Records: { messageId: string; body: string }[];
}

/**
 * Runs jobs, one after the other. Jobs that somebody else does, or did, end at once. One that cannot be done puts its
 * group in quarantine, and so does one that takes too long. Nothing of it comes back: the catalog says what there is to do,
 * and the next plan finds it.
 */
export function compactionHandler(open: () => FunctionHub) {
  return middy<JobsEvent, SqsResult>({ timeoutEarlyInMillis: 0 })
    .use(withTelemetry(open))
    .handler(async ({ Records }, context) => {
      const hub = withinTime(open().hub, context);
      const foreign: string[] = [];
      for (const { messageId, body } of Records) {
        const job = fromJobMessage(body);
        if (job === undefined) foreign.push(messageId);
        else await run(hub, job);
      }
      if (foreign.length > 0) {
        hub.telemetry.count('compaction_foreign_messages_total', foreign.length);
        hub.telemetry.log('error', 'messages that are no jobs of this version', { messageIds: foreign });
      }
      return { batchItemFailures: foreign.map((itemIdentifier) => ({ itemIdentifier })) };
    });
}

/** What was stored for a job can still be deleted, and its group be set aside, when time is up. */
function withinTime(hub: Hub, context: InvocationContext): Hub {
  // Not one to try again with: the same job would take as long.
  const limited = timeLimit(context, (message) => new Error(message));
  return { ...hub, objects: limited(hub.objects, ['delete']), codec: limited(hub.codec) };
}

async function run(hub: Hub, job: NonNullable<ReturnType<typeof fromJobMessage>>): Promise<void> {
  try {
    const { skipped } = await runCompactionJob(hub, job);
    hub.telemetry.count('compaction_skipped_jobs_total', skipped);
  } catch (error) {
    if (!(error instanceof RetryableError)) throw error;
    hub.telemetry.count('compaction_postponed_jobs_total', 1);
    hub.telemetry.log('warn', `compaction of ${job.group} waits for the next plan: ${error.message}`);
  }
}

/** @throws RejectedError('invalid') that names a label that cannot be rolled up; Error that names the variables that are missing */
export function openCompactor(variables: Variables = process.env): FunctionHub {
  // Deletions may have regular expressions.
  const opened = openHub({ service: 'compaction-worker', variables, compileRegex: compileLinearRegex });
  const { CINDERBLOCK_ROLL_UP_LABELS: labels = '' }: Partial<CompactorEnvironment> = variables;
  const { settings } = opened.hub;
  const compaction = withRollUp(settings.compaction, parseRollUpLabels(labels));
  return { ...opened, hub: { ...opened.hub, settings: { ...settings, compaction } } };
}

export const handler = compactionHandler(once(openCompactor));
