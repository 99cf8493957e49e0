import { Duration } from 'aws-cdk-lib';
import { Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import { HOUSEKEEPING, type HousekeepingEvent, type PlannerEvent } from '../functions/environment.ts';
import { addAlarm } from './alarms.ts';
import {
  HousekeeperFunction,
  PlannerFunction,
  WORKER_TIMEOUT,
  WorkerFunction,
} from './compaction-functions.ts';
import type { HubConfig } from './config.ts';
import { type HubStorage, hubEnvironment } from './hub-environment.ts';
import type { FunctionDefaults } from './hub-function.ts';
import { METRICS_NAMESPACE } from './hub-functions.ts';
import { DeadQueue, JobQueue } from './job-queue.ts';
import { type Schedule, Schedules } from './schedules.ts';

export interface CompactionProps {
  readonly config: HubConfig;
  readonly storage: HubStorage;
  readonly functions: FunctionDefaults;
}

/**
 * The newest hours are looked at often; all that there is, for late batches, days to seal and long ranges, now and then. A
 * plan reads all rows of its time: of the five days that batches can come for, every ten minutes, it would cost five times as much.
 */
const PLANS: readonly (Schedule & { event: PlannerEvent })[] = [
  { id: 'Fresh', rate: 'rate(10 minutes)', event: { scope: 'fresh' } },
  { id: 'All', rate: 'rate(1 hour)', event: { scope: 'all' } },
];

/** A call that comes later is one that the next makes good. */
const PATIENCE = Duration.minutes(15);

/** A job that was waiting to be done for longer raises an alarm, in seconds. */
const BACKLOG_MAX_SECONDS = 7200;

/** Of what planners tell: with shorter ones, every other period would be empty. */
const PLAN_PERIOD = Duration.minutes(10);
/** Of what only a plan of all can tell. */
const ALL_PERIOD = Duration.hours(1);

/** Periods without a plan after which its schedule is taken for dead. */
const SILENT_PERIODS = 3;
/** Periods of a plan of all, each with a backlog, after which it is one. */
const BACKLOG_PERIODS = 2;

/** Few, large blocks of many small ones: a planner, workers, and who deletes what they leave. */
export class Compaction extends Construct {
  readonly planner: PlannerFunction;
  readonly worker: WorkerFunction;
  readonly housekeeper: HousekeeperFunction;
  readonly jobs: JobQueue;

  constructor(scope: Construct, id: string, props: CompactionProps) {
    super(scope, id);
    const { config, storage, functions } = props;
    const { alarms } = functions;
    const environment = hubEnvironment(config, storage);
    const rollUp = config.rollUpLabels.join(',');
    const { compactionPlanner, compactionWorker, housekeeper } = config.reservedConcurrency;
    const missed = new DeadQueue(this, 'Missed', 'missed-schedules', alarms);
    const jobs = new JobQueue(this, 'Jobs', { workerTimeout: WORKER_TIMEOUT, alarms });
    this.jobs = jobs;
    const common = { ...functions, storage, missed: missed.queue };
    this.planner = new PlannerFunction(this, 'Planner', {
      ...{ ...common, jobs, reservedConcurrency: compactionPlanner },
      environment: { ...environment, CINDERBLOCK_COMPACTION_QUEUE_URL: jobs.queue.queueUrl },
    });
    this.worker = new WorkerFunction(this, 'Worker', {
      ...{ ...functions, storage, jobs, reservedConcurrency: compactionWorker },
      environment: { ...environment, ...(rollUp !== '' && { CINDERBLOCK_ROLL_UP_LABELS: rollUp }) },
    });
    this.housekeeper = new HousekeeperFunction(this, 'Housekeeper', {
      ...{ ...common, environment, reservedConcurrency: housekeeper },
    });
    const calls = { patience: PATIENCE, missed: missed.queue };
    new Schedules(this, 'Plans', { ...calls, function: this.planner.function, schedules: PLANS });
    new Schedules(this, 'Tasks', { ...calls, function: this.housekeeper.function, schedules: tasks() });
    this.#addAlarms(props);
  }

  #addAlarms({ config, functions: { alarms: topic } }: CompactionProps): void {
    const planned = (metricName: string, statistic: string, period = PLAN_PERIOD) =>
      new Metric({
        namespace: METRICS_NAMESPACE,
        metricName,
        dimensionsMap: { service: 'compaction-planner', stage: config.stage },
        statistic,
        period,
      });
    addAlarm(this, 'Backlog', 'compaction-behind', {
      metric: planned('compaction_backlog_seconds', 'Maximum', ALL_PERIOD),
      above: BACKLOG_MAX_SECONDS,
      periods: BACKLOG_PERIODS,
      topic,
    });
    addAlarm(this, 'Quarantined', 'quarantined-groups', {
      metric: planned('compaction_quarantined_groups', 'Maximum'),
      above: 0,
      topic,
    });
    addAlarm(this, 'Silent', 'no-compaction-plans', {
      metric: planned('compaction_plans_total', 'Sum'),
      above: 1,
      whenBelow: true,
      periods: SILENT_PERIODS,
      topic,
    });
  }
}

function tasks(): Schedule[] {
  return Object.entries(HOUSEKEEPING).map(([task, rate]) => {
    const event = { task } as HousekeepingEvent;
    const id = task.replace(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase());
    return { id, rate, event };
  });
}
