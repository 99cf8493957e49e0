import { JOB_MESSAGE_BYTES_MAX, type JobQueue } from '../storage/job-queue.ts';
import { quarantineGroup } from './compaction-quarantine.ts';
import type { Hub } from './hub.ts';
import { toJobMessage } from './job-message.ts';
import { type PlanScope, planJobs } from './plan-jobs.ts';

/** Ids that are kept of a job which is too long to send. */
const KEPT_IDS = 100;

/**
 * Plans, and sends each job to those who compact. Sends none while jobs of an earlier plan still wait: they would mostly be
 * the same ones. A plan of all is sent even so, since it is made seldom, and others do not see what it sees. A job may so be
 * sent a second time; who takes it finds that its group is taken, or its blocks gone, and leaves it. Answers how many were sent.
 */
export async function sendJobs(hub: Hub, queue: JobQueue, scope: PlanScope): Promise<number> {
  const { jobs } = await planJobs(hub, scope);
  hub.telemetry.count('compaction_plans_total', 1);
  const waiting = jobs.length === 0 || scope === 'all' ? 0 : await queue.waiting();
  if (waiting > 0) hub.telemetry.log('info', `${waiting} jobs of an earlier plan wait, none is sent`);
  if (jobs.length === 0 || waiting > 0) return 0;
  const messages: string[] = [];
  for (const job of jobs) {
    const message = toJobMessage(job);
    const bytes = new TextEncoder().encode(message).length;
    if (bytes <= JOB_MESSAGE_BYTES_MAX) messages.push(message);
    else {
      const reason = `a job of ${job.blockIds.length} blocks makes a message of ${bytes} bytes, the limit is ${JOB_MESSAGE_BYTES_MAX}`;
      await quarantineGroup(hub, { ...job, blockIds: job.blockIds.slice(0, KEPT_IDS) }, reason);
      hub.telemetry.log('error', `compaction of ${job.group} is left: ${reason}`);
    }
  }
  await queue.send(messages);
  hub.telemetry.count('compaction_sent_jobs_total', messages.length);
  return messages.length;
}
