import { HttpMethod } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpIamAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { MathExpression } from 'aws-cdk-lib/aws-cloudwatch';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { ALARM_PERIOD, addAlarm } from './alarms.ts';
import { HubHttpApi } from './hub-http-api.ts';

export interface IngestApiProps {
  readonly ingest: IFunction;
  /** Whether agents are expected to send: then silence raises an alarm. */
  readonly hasClusters: boolean;
  readonly logRetentionDays: number;
  /** Where alarms are told. */
  readonly alarms: ITopic;
}

/** What agents may call, as paths below a cluster; the policies of cluster roles name the same. */
export const AGENT_PATHS = ['batches', 'heartbeat'];

/** Where agents send to. Every route wants a request signed by a role whose policy names it. */
export class IngestApi extends Construct {
  readonly http: HubHttpApi;

  constructor(scope: Construct, id: string, props: IngestApiProps) {
    super(scope, id);
    this.http = new HubHttpApi(this, 'Default', {
      description: 'Batches and heartbeats of agents',
      defaultAuthorizer: new HttpIamAuthorizer(),
      // 10,000 nodes that flush every 30 s send 340 requests a second.
      requestsPerSecond: 2000,
      burst: 2000,
      logRetentionDays: props.logRetentionDays,
      alarms: props.alarms,
    });
    for (const path of AGENT_PATHS) {
      this.http.route(HttpMethod.POST, `/v1/clusters/{cluster}/${path}`, props.ingest);
    }
    this.#addAlarms(props);
  }

  /** ARN of one of AGENT_PATHS of one cluster, for execute-api:Invoke. */
  arnOf(cluster: string, path: string): string {
    // The stage's name is part of the ARN though it is not part of the path.
    return this.http.api.arnForExecuteApi('POST', `/v1/clusters/${cluster}/${path}`, '$default');
  }

  #addAlarms({ alarms: topic, hasClusters }: IngestApiProps): void {
    const period = ALARM_PERIOD;
    const { stage } = this.http;
    const requests = stage.metricCount({ period, statistic: 'Sum' });
    const refused = new MathExpression({
      expression: '100 * refused / requests',
      label: 'refused requests, %',
      usingMetrics: { refused: stage.metricClientError({ period, statistic: 'Sum' }), requests },
      period,
    });
    addAlarm(this, 'Refused', 'refused-uploads', { metric: refused, above: 20, periods: 3, topic });
    if (!hasClusters) return;
    addAlarm(this, 'Silence', 'no-uploads', {
      metric: requests,
      above: 1,
      whenBelow: true,
      periods: 3,
      topic,
    });
  }
}
