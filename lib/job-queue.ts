import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import type { IMetric } from 'aws-cdk-lib/aws-cloudwatch';
import { type IGrantable, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { DEAD_LETTER_RETENTION_SECONDS, QUEUE_MESSAGE_BYTES } from '../storage/aws/names.ts';
import { acknowledge } from './acknowledge.ts';
import { ALARM_PERIOD, type AlarmSlug, addAlarm } from './alarms.ts';

/** What all queues of compaction are like. They hold hints, planned again within minutes: nothing is lost with them. */
const COMMON = {
  encryption: QueueEncryption.SQS_MANAGED,
  enforceSSL: true,
  maxMessageSizeBytes: QUEUE_MESSAGE_BYTES,
  removalPolicy: RemovalPolicy.DESTROY,
};

/** Deliveries after which a job is dead: its worker died each time without an answer. */
const MAX_RECEIVES = 5;

/** What could not be delivered, or was in vain. Any message in it is an alarm. */
export class DeadQueue extends Construct {
  readonly queue: Queue;

  constructor(scope: Construct, id: string, slug: AlarmSlug, topic: ITopic) {
    super(scope, id);
    const retentionPeriod = Duration.seconds(DEAD_LETTER_RETENTION_SECONDS);
    this.queue = new Queue(this, 'Default', { ...COMMON, retentionPeriod });
    acknowledge(this.queue, {
      'Serverless-SQSRedrivePolicy': 'This is the queue that dead letters go to.',
      'AwsSolutions-SQS3': 'This is the queue that dead letters go to.',
    });
    addAlarm(this, 'Dead', slug, { metric: this.dead(), above: 0, topic });
  }

  dead(): IMetric {
    return this.queue.metricApproximateNumberOfMessagesVisible({
      period: ALARM_PERIOD,
      statistic: 'Maximum',
    });
  }
}

export interface JobQueueProps {
  /** Timeout of the function that takes jobs; they stay hidden for six times as long, as Lambda asks. */
  readonly workerTimeout: Duration;
  /** Where alarms are told. */
  readonly alarms: ITopic;
}

/** Jobs between the planner and the workers. */
export class JobQueue extends Construct {
  readonly queue: Queue;
  readonly deadLetters: DeadQueue;

  constructor(scope: Construct, id: string, { workerTimeout, alarms }: JobQueueProps) {
    super(scope, id);
    this.deadLetters = new DeadQueue(this, 'DeadLetters', 'dead-compaction-jobs', alarms);
    this.queue = new Queue(this, 'Default', {
      ...COMMON,
      // The plan of every few minutes sends again what a dead worker leaves, so that nothing waits for this.
      visibilityTimeout: Duration.seconds(6 * workerTimeout.toSeconds()),
      retentionPeriod: Duration.days(1),
      deadLetterQueue: { queue: this.deadLetters.queue, maxReceiveCount: MAX_RECEIVES },
    });
  }

  /** Lets somebody do something with waiting jobs. */
  allow(grantee: IGrantable, ...actions: string[]): void {
    const resources = [this.queue.queueArn];
    grantee.grantPrincipal.addToPrincipalPolicy(new PolicyStatement({ actions, resources }));
  }

  waiting(): IMetric {
    return this.queue.metricApproximateNumberOfMessagesVisible({ period: ALARM_PERIOD, label: 'waiting' });
  }
}
