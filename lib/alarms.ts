import { Duration } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, type IMetric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';

/** Where operators read what to do; each alarm has a heading there whose anchor is its slug. */
export const RUNBOOK = 'docs/operations.md';

/** Every kind of alarm: the anchor of its heading in the runbook, and what it says when it goes off. */
export const ALARMS = {
  'dead-letters': 'Batches were delivered again and again and could not be processed.',
  'batches-wait-too-long': 'Batches wait in the queue for more than five minutes.',
  'quarantined-batches': 'Batches that can never be stored were set aside.',
  'function-errors': 'More than 1 % of the invocations of a function fail.',
  'function-throttles': 'Invocations of a function are turned away for want of concurrency.',
  'function-duration': 'A function takes more than 80 % of its timeout.',
  'failed-shares': 'Workers fail to read shares of large queries, which are slower without them.',
  'api-server-errors': 'More than 1 % of the requests to an API end in a server error.',
  'refused-uploads': 'More than a fifth of the requests of agents are refused.',
  'no-uploads': 'No agent has sent anything for fifteen minutes.',
  'compaction-behind': 'Blocks that could be merged have waited for more than two hours.',
  'quarantined-groups': 'Groups of blocks cannot be merged and were set aside.',
  'no-compaction-plans': 'Nobody has planned compaction for twenty minutes.',
  'dead-compaction-jobs': 'Workers died of jobs again and again.',
  'missed-schedules': 'Calls of schedules were in vain.',
  'table-throttles': 'The table turns requests away.',
  'table-errors': 'The table fails on its own side.',
} as const;

export type AlarmSlug = keyof typeof ALARMS;

/** For tests: every slug has a heading in the runbook. */
export const ALARM_SLUGS = Object.keys(ALARMS) as AlarmSlug[];

export interface AlarmProps {
  readonly metric: IMetric;
  /** Goes off above this value. */
  readonly above: number;
  /**
   * Goes off below `above` instead, and when there is no data at all.
   * @default false
   */
  readonly whenBelow?: boolean;
  /**
   * Periods that are looked at.
   * @default 1
   */
  readonly periods?: number;
  /** Where it is told. */
  readonly topic: ITopic;
}

/** Period of the metrics that alarms look at, unless one says otherwise. */
export const ALARM_PERIOD = Duration.minutes(5);

/** Adds an alarm that says what is wrong and links to its heading in the runbook; it also tells when all is well again. */
export function addAlarm(scope: Construct, id: string, slug: AlarmSlug, props: AlarmProps): Alarm {
  const { metric, above, whenBelow = false, periods = 1, topic } = props;
  const alarm = new Alarm(scope, id, {
    metric,
    threshold: above,
    comparisonOperator: whenBelow
      ? ComparisonOperator.LESS_THAN_THRESHOLD
      : ComparisonOperator.GREATER_THAN_THRESHOLD,
    evaluationPeriods: periods,
    treatMissingData: whenBelow ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
    alarmDescription: `${ALARMS[slug]} What to do: ${RUNBOOK}#${slug}`,
  });
  const action = new SnsAction(topic);
  alarm.addAlarmAction(action);
  alarm.addOkAction(action);
  return alarm;
}
