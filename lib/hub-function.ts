import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { MathExpression } from 'aws-cdk-lib/aws-cloudwatch';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  ApplicationLogLevel,
  Architecture,
  Code,
  Function as LambdaFunction,
  LoggingFormat,
  Runtime,
  SystemLogLevel,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { acknowledge } from './acknowledge.ts';
import { ALARM_PERIOD, addAlarm } from './alarms.ts';

/** What all functions of a hub have in common, from its configuration. */
export interface FunctionDefaults {
  /** Folder with one folder per function, each with its bundle index.mjs. */
  readonly functionsFolder: string;
  readonly logRetentionDays: number;
  /** Where alarms are told. */
  readonly alarms: ITopic;
}

export interface HubFunctionProps extends FunctionDefaults {
  /** Folder of the bundle below `functionsFolder`. */
  readonly bundle: string;
  /** For people who read the console. */
  readonly description: string;
  readonly environment: Readonly<Record<string, string>>;
  /** In MiB; 1,769 are one core. */
  readonly memoryMiB: number;
  readonly timeout: Duration;
  /**
   * Executions set aside for this function, and its most.
   * @default 0: it shares what the account has
   */
  readonly reservedConcurrency?: number;
  /**
   * Where events go whose invocations failed, with the error.
   * @default nowhere: nothing invokes it without waiting for its answer
   */
  readonly missed?: IQueue;
}

/** How long Lambda tries to invoke a function for an event, and how often when it fails. */
const EVENT_AGE_MAX = Duration.minutes(15);
const EVENT_RETRIES = 2;

/** One function: Node.js on arm64, logs of its own, and a role of its own that is told everything it may do. */
export class HubFunction extends Construct {
  readonly function: LambdaFunction;
  readonly role: Role;

  constructor(scope: Construct, id: string, props: HubFunctionProps) {
    super(scope, id);
    const logGroup = new LogGroup(this, 'Logs', {
      retention: props.logRetentionDays as RetentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    // No managed policy: that one could write to the logs of everything in the account.
    this.role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    logGroup.grantWrite(this.role);
    this.function = new LambdaFunction(this, 'Default', {
      description: props.description,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      handler: 'index.handler',
      code: Code.fromAsset(`${props.functionsFolder}/${props.bundle}`),
      environment: { ...props.environment },
      memorySize: props.memoryMiB,
      timeout: props.timeout,
      role: this.role,
      logGroup,
      loggingFormat: LoggingFormat.JSON,
      applicationLogLevelV2: ApplicationLogLevel.INFO,
      // START, END and REPORT of every invocation would cost more than the invocation.
      systemLogLevelV2: SystemLogLevel.WARN,
      reservedConcurrentExecutions: props.reservedConcurrency || undefined,
      ...(props.missed && this.#toMissed(props.missed)),
    });
    this.#acknowledge(props);
    this.#addAlarms(props);
  }

  /** For functions that schedules call: they do not wait for an answer. */
  #toMissed({ queueArn }: IQueue) {
    this.role.addToPolicy(new PolicyStatement({ actions: ['sqs:SendMessage'], resources: [queueArn] }));
    const onFailure = { bind: () => ({ destination: queueArn }) };
    return { onFailure, maxEventAge: EVENT_AGE_MAX, retryAttempts: EVENT_RETRIES };
  }

  #acknowledge({ missed }: HubFunctionProps): void {
    acknowledge(this.function, {
      'Serverless-LambdaTracing':
        'HTTP APIs cannot trace, and X-Ray costs more per request than the request.',
    });
    if (missed) {
      acknowledge(this.function, {
        'Serverless-LambdaDLQ':
          'Events whose invocations failed go to a destination, which tells the error too.',
      });
      return;
    }
    acknowledge(this.function, {
      'Serverless-LambdaDLQ': 'Invoked only by who waits for the answer, and by a queue with dead letters.',
      'Serverless-LambdaAsyncFailureDestination': 'Never invoked asynchronously.',
    });
  }

  #addAlarms({ timeout, alarms: topic }: HubFunctionProps): void {
    const period = ALARM_PERIOD;
    const errors = new MathExpression({
      expression: '100 * errors / invocations',
      label: 'failed invocations, %',
      usingMetrics: {
        errors: this.function.metricErrors({ period }),
        invocations: this.function.metricInvocations({ period }),
      },
      period,
    });
    const throttles = this.function.metricThrottles({ period });
    const duration = this.function.metricDuration({ period, statistic: 'p99' });
    const slow = 0.8 * timeout.toMilliseconds();
    addAlarm(this, 'Errors', 'function-errors', { metric: errors, above: 1, periods: 2, topic });
    addAlarm(this, 'Throttles', 'function-throttles', { metric: throttles, above: 0, periods: 2, topic });
    addAlarm(this, 'Slow', 'function-duration', { metric: duration, above: slow, periods: 3, topic });
  }
}
