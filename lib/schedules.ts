import { Aws, type Duration } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { CfnSchedule } from 'aws-cdk-lib/aws-scheduler';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';

/** One call of a function, again and again. */
export interface Schedule {
  readonly id: string;
  /** `rate(5 minutes)`: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html */
  readonly rate: string;
  /** What the function is called with. */
  readonly event: object;
}

export interface SchedulesProps {
  readonly function: IFunction;
  readonly schedules: readonly Schedule[];
  /** Calls that could not be made within this time are given up. */
  readonly patience: Duration;
  /** Where calls go that were given up. */
  readonly missed: IQueue;
}

/** How often EventBridge Scheduler tries to make a call; it gives up sooner when patience ends. */
const ATTEMPTS_MAX = 10;

/** The schedules of one function, and the role in whose name it is called. */
export class Schedules extends Construct {
  constructor(scope: Construct, id: string, props: SchedulesProps) {
    super(scope, id);
    const role = new Role(this, 'Role', {
      // Not for schedules of others who learn the role's name.
      assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
      }),
    });
    const arn = props.function.functionArn;
    role.addToPolicy(new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [arn] }));
    const resources = [props.missed.queueArn];
    role.addToPolicy(new PolicyStatement({ actions: ['sqs:SendMessage'], resources }));
    for (const { id, rate, event } of props.schedules) {
      const schedule = new CfnSchedule(this, id, {
        scheduleExpression: rate,
        flexibleTimeWindow: { mode: 'OFF' },
        target: {
          arn,
          roleArn: role.roleArn,
          input: JSON.stringify(event),
          deadLetterConfig: { arn: props.missed.queueArn },
          retryPolicy: {
            maximumEventAgeInSeconds: props.patience.toSeconds(),
            maximumRetryAttempts: ATTEMPTS_MAX,
          },
        },
      });
      // A call before the role may make it would be a missed one.
      schedule.node.addDependency(role.node.findChild('DefaultPolicy'));
    }
  }
}
