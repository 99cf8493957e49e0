import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import type { IMetric } from 'aws-cdk-lib/aws-cloudwatch';
import { type IGrantable, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { DEAD_LETTER_RETENTION_SECONDS, QUEUE_MESSAGE_BYTES } from '../storage/aws/names.ts';
import { acknowledge } from './acknowledge.ts';
import { ALARM_PERIOD, addAlarm } from './alarms.ts';

export interface BatchQueueProps {
  /** Timeout of the function that takes batches; they stay hidden for six times as long, as Lambda asks. */
  readonly processorTimeout: Duration;
  /**
   * Deliveries after which a batch is a dead letter. Throttled pollers use them up as failures do, so it is not small.
   * @default 5
   */
  readonly maxReceives?: number;
  /** Whether the queues stay when their stack goes: they hold what agents were told is safe. */
  readonly retain: boolean;
  /** Where alarms are told. */
  readonly alarms: ITopic;
}

/** Batches that wait longer than this raise an alarm, in seconds. */
const WAIT_MAX_SECONDS = 300;

/** Acknowledged batches on their way to a block, and those that could not be processed. */
export class BatchQueue extends Construct {
  readonly queue: Queue;
  readonly deadLetters: Queue;
  readonly maxReceives: number;

  constructor(scope: Construct, id: string, props: BatchQueueProps) {
    super(scope, id);
    this.maxReceives = props.maxReceives ?? 5;
    const common = {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      maxMessageSizeBytes: QUEUE_MESSAGE_BYTES,
      removalPolicy: props.retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    };
    this.deadLetters = new Queue(this, 'DeadLetters', {
      ...common,
      retentionPeriod: Duration.seconds(DEAD_LETTER_RETENTION_SECONDS),
    });
    acknowledge(this.deadLetters, {
      'Serverless-SQSRedrivePolicy': 'This is the queue that dead letters go to.',
      'AwsSolutions-SQS3': 'This is the queue that dead letters go to.',
    });
    this.queue = new Queue(this, 'Default', {
      ...common,
      visibilityTimeout: Duration.seconds(6 * props.processorTimeout.toSeconds()),
      // Half of what dead letters get: their age counts from when they were first sent.
      retentionPeriod: Duration.days(7),
      receiveMessageWaitTime: Duration.seconds(20),
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: this.maxReceives },
    });
    this.#addAlarms(props.alarms);
  }

  /** Lets somebody do something with waiting batches. */
  allow(grantee: IGrantable, ...actions: string[]): void {
    allowOn(this.queue, grantee, actions);
  }

  allowOnDeadLetters(grantee: IGrantable, ...actions: string[]): void {
    allowOn(this.deadLetters, grantee, actions);
  }

  /** Age of the oldest waiting batch, in seconds. */
  oldest(): IMetric {
    return this.queue.metricApproximateAgeOfOldestMessage({ period: ALARM_PERIOD, statistic: 'Maximum' });
  }

  dead(): IMetric {
    return this.deadLetters.metricApproximateNumberOfMessagesVisible({
      period: ALARM_PERIOD,
      statistic: 'Maximum',
    });
  }

  #addAlarms(topic: ITopic): void {
    // Visible ones, since redriven and moved messages do not show in NumberOfMessagesSent.
    addAlarm(this, 'Dead', 'dead-letters', { metric: this.dead(), above: 0, topic });
    addAlarm(this, 'Age', 'batches-wait-too-long', {
      metric: this.oldest(),
      above: WAIT_MAX_SECONDS,
      periods: 2,
      topic,
    });
  }
}

function allowOn(queue: Queue, grantee: IGrantable, actions: string[]): void {
  grantee.grantPrincipal.addToPrincipalPolicy(new PolicyStatement({ actions, resources: [queue.queueArn] }));
}
