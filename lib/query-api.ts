import { Duration } from 'aws-cdk-lib';
import { HttpMethod, HttpNoneAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaAuthorizer, HttpLambdaResponseType } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { acknowledge } from './acknowledge.ts';
import { HubHttpApi } from './hub-http-api.ts';

export interface QueryApiProps {
  readonly query: IFunction;
  readonly admin: IFunction;
  /** Takes what SDKs push. */
  readonly ingest: IFunction;
  readonly authorizer: IFunction;
  /**
   * How long an answer of the authorizer holds, and so a revoked token.
   * @default one minute
   */
  readonly authorizerCache?: Duration;
  readonly logRetentionDays: number;
  /** Where alarms are told. */
  readonly alarms: ITopic;
}

/** What SDKs push to; below `/push.v1.PusherService/` are Connect calls. */
const PUSH_PATHS = [
  '/ingest',
  '/pyroscope/ingest',
  '/push.v1.PusherService/{method}',
  '/v1development/profiles',
];
const ADMIN_PATH = '/cinderblock.v1.AdminService/{method}';

/** What people and tools call, with a token or signed in. */
export class QueryApi extends Construct {
  readonly http: HubHttpApi;

  constructor(scope: Construct, id: string, props: QueryApiProps) {
    super(scope, id);
    this.http = new HubHttpApi(this, 'Default', {
      description: 'Queries, pushes of SDKs, administration',
      defaultAuthorizer: new HttpLambdaAuthorizer('Authorizer', props.authorizer, {
        responseTypes: [HttpLambdaResponseType.SIMPLE],
        identitySource: ['$request.header.Authorization'],
        resultsCacheTtl: props.authorizerCache ?? Duration.minutes(1),
      }),
      requestsPerSecond: 500,
      burst: 500,
      logRetentionDays: props.logRetentionDays,
      alarms: props.alarms,
    });
    for (const path of PUSH_PATHS) this.http.route(HttpMethod.POST, path, props.ingest);
    this.http.route(HttpMethod.POST, ADMIN_PATH, props.admin);
    for (const method of [HttpMethod.GET, HttpMethod.POST]) this.http.route(method, '/{path+}', props.query);
    this.http.route(HttpMethod.GET, '/healthz', props.query, new HttpNoneAuthorizer());
    const health = this.http.api.node.findChild('GET--healthz');
    acknowledge(health, {
      'AwsSolutions-APIG4': 'Says that the hub is up and which version it is, no more.',
    });
  }
}
