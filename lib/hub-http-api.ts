import { RemovalPolicy } from 'aws-cdk-lib';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import {
  HttpApi,
  type HttpMethod,
  HttpStage,
  type IHttpRouteAuthorizer,
  LogGroupLogDestination,
} from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { MathExpression } from 'aws-cdk-lib/aws-cloudwatch';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, LogGroupClass, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { ALARM_PERIOD, addAlarm } from './alarms.ts';

export interface HubHttpApiProps {
  readonly description: string;
  /** Of every route that names no other. */
  readonly defaultAuthorizer: IHttpRouteAuthorizer;
  /** Requests a second, and at once, that the API takes in all; beyond that it answers 429, and agents wait. */
  readonly requestsPerSecond: number;
  readonly burst: number;
  readonly logRetentionDays: number;
  /** Where alarms are told. */
  readonly alarms: ITopic;
}

/** One line per request: who, what, how it ended. Whole templates are billed as logs, so they are short. */
const ACCESS_LOG = {
  id: '$context.requestId',
  time: '$context.requestTimeEpoch',
  route: '$context.routeKey',
  status: '$context.status',
  bytes: '$context.responseLength',
  ms: '$context.responseLatency',
  who: '$context.identity.userArn',
  caller: '$context.authorizer.name',
  error: '$context.error.messageString',
  refusal: '$context.authorizer.error',
};

/** An HTTP API with a stage that logs and throttles, and routes that all have an authorizer. */
export class HubHttpApi extends Construct {
  readonly api: HttpApi;
  readonly stage: HttpStage;
  readonly #integrations = new Map<IFunction, HttpLambdaIntegration>();

  constructor(scope: Construct, id: string, props: HubHttpApiProps) {
    super(scope, id);
    this.api = new HttpApi(this, 'Default', {
      description: props.description,
      createDefaultStage: false,
      defaultAuthorizer: props.defaultAuthorizer,
    });
    const logs = new LogGroup(this, 'AccessLogs', {
      // Half the price; Logs Insights reads them all the same.
      logGroupClass: LogGroupClass.INFREQUENT_ACCESS,
      retention: props.logRetentionDays as RetentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.stage = new HttpStage(this, 'Stage', {
      httpApi: this.api,
      stageName: '$default',
      autoDeploy: true,
      throttle: { rateLimit: props.requestsPerSecond, burstLimit: props.burst },
      accessLogSettings: {
        destination: new LogGroupLogDestination(logs),
        format: AccessLogFormat.custom(JSON.stringify(ACCESS_LOG)),
      },
    });
    this.#addAlarms(props.alarms);
  }

  /** `https://<id>.execute-api.<region>.amazonaws.com`, without a slash at the end. */
  get url(): string {
    return this.api.apiEndpoint;
  }

  /** Sends a path to a function, behind the API's own authorizer unless another is given. */
  route(method: HttpMethod, path: string, handler: IFunction, authorizer?: IHttpRouteAuthorizer): void {
    this.api.addRoutes({ path, methods: [method], integration: this.#integrationOf(handler), authorizer });
  }

  #integrationOf(handler: IFunction): HttpLambdaIntegration {
    let integration = this.#integrations.get(handler);
    if (!integration) {
      integration = new HttpLambdaIntegration(`To${handler.node.scope?.node.id}`, handler);
      this.#integrations.set(handler, integration);
    }
    return integration;
  }

  #addAlarms(topic: ITopic): void {
    const period = ALARM_PERIOD;
    const failures = new MathExpression({
      expression: '100 * failures / requests',
      label: 'server errors, %',
      usingMetrics: {
        failures: this.stage.metricServerError({ period, statistic: 'Sum' }),
        requests: this.stage.metricCount({ period, statistic: 'Sum' }),
      },
      period,
    });
    addAlarm(this, 'ServerErrors', 'api-server-errors', { metric: failures, above: 1, periods: 2, topic });
  }
}
