import middy from '@middy/core';
import type { PlanScope } from '../pipeline/plan-jobs.ts';
import { sendJobs } from '../pipeline/send-jobs.ts';
import { openJobQueue } from '../storage/aws/sqs-job-queue.ts';
import type { JobQueue } from '../storage/job-queue.ts';
import type { PlannerEnvironment, PlannerEvent } from './environment.ts';
import { once, withTelemetry } from './invocation.ts';
import { type FunctionHub, openHub } from './open-hub.ts';
import { awsPlace, readEnvironment, type Variables } from './read-environment.ts';

/** What the planner works with. */
export interface PlannerHub extends FunctionHub {
  readonly jobs: JobQueue;
}

/** @throws Error that names the variables that are missing */
export function openPlanner(variables: Variables = process.env): PlannerHub {
  const names: readonly (keyof PlannerEnvironment)[] = ['CINDERBLOCK_COMPACTION_QUEUE_URL'];
  const { CINDERBLOCK_COMPACTION_QUEUE_URL: url } = readEnvironment(variables, names);
  const opened = openHub({ service: 'compaction-planner', variables });
  return { ...opened, jobs: openJobQueue(awsPlace(variables), url) };
}

const SCOPES: readonly PlanScope[] = ['fresh', 'recent', 'all'];

/** Called by schedules: says what there is to compact, and lets others do it. Answers how many jobs it sent. */
export function plannerHandler(open: () => PlannerHub) {
  return middy<PlannerEvent, { jobs: number }>()
    .use(withTelemetry(open))
    .handler(async ({ scope }) => {
      if (!SCOPES.includes(scope))
        throw new Error(`the scope of a plan is one of ${SCOPES.join(', ')}, not ${JSON.stringify(scope)}`);
      const { hub, jobs } = open();
      return { jobs: await sendJobs(hub, jobs, scope) };
    });
}

export const handler = plannerHandler(once(openPlanner));
