import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { CfnResource, Stack } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { adminRoutes } from '../../api/admin/admin-routes.ts';
import { agentRoutes } from '../../api/agents/agent-routes.ts';
import { healthRoutes } from '../../api/health-routes.ts';
import { pushRoutes } from '../../api/ingest/push-routes.ts';
import { queryRoutes } from '../../api/query/query-routes.ts';
import type { Route } from '../../api/route.ts';
import { HOUSEKEEPING } from '../../functions/environment.ts';
import { WORKER_TIMEOUT_MS } from '../../functions/function-workers.ts';
import { acknowledgeWildcard } from '../../lib/acknowledge.ts';
import { ALARM_SLUGS, RUNBOOK } from '../../lib/alarms.ts';
import { API_PATHS } from '../../lib/web-site.ts';
import { defaultHubSettings, type Hub } from '../../pipeline/hub.ts';
import { ROOT } from '../source-tree.ts';
import { nameOf, statementsOf } from './role-policies.ts';
import {
  brokenRulesOf,
  hubApp,
  newApp,
  type Resource,
  type StackName,
  type Synthesized,
  synthesizedHub,
} from './synthesized.ts';

const hub = synthesizedHub();
const small = synthesizedHub({
  region: 'eu-central-1',
  web: false,
  retainData: false,
  signIn: { kind: 'oidc', issuer: 'https://id.example.com/realm', clientId: 'page' },
});
const everywhere = (type: string) => Object.values(hub).flatMap((stack) => stack.all(type));

describe('routes', () => {
  const routesOf = (stack: Synthesized) =>
    stack.all('AWS::ApiGatewayV2::Route').map(({ Properties }) => Properties);

  test('every route of the ingest API wants a signature', () => {
    const routes = routesOf(hub.ingest);
    assert.deepEqual(
      routes.map(({ RouteKey }) => RouteKey),
      ['POST /v1/clusters/{cluster}/batches', 'POST /v1/clusters/{cluster}/heartbeat'],
    );
    for (const { RouteKey, AuthorizationType } of routes)
      assert.equal(AuthorizationType, 'AWS_IAM', RouteKey);
  });

  test('every route of the query API but health asks the authorizer', () => {
    for (const { RouteKey, AuthorizationType, AuthorizerId } of routesOf(hub.query)) {
      const isOpen = RouteKey === 'GET /healthz';
      assert.equal(AuthorizationType, isOpen ? 'NONE' : 'CUSTOM', RouteKey);
      assert.equal(AuthorizerId === undefined, isOpen, RouteKey);
    }
    const { Properties } = hub.query.one('AWS::ApiGatewayV2::Authorizer');
    assert.equal(Properties.EnableSimpleResponses, true);
    assert.deepEqual(Properties.IdentitySource, ['$request.header.Authorization']);
    // A revoked token holds no longer than this.
    assert.ok(Properties.AuthorizerResultTtlInSeconds <= 60);
  });

  const pushHub = { settings: defaultHubSettings } as Hub;
  const owners: [name: string, routes: readonly Route[], stack: StackName][] = [
    ['Ingest', agentRoutes, 'ingest'],
    ['Ingest', pushRoutes(pushHub), 'query'],
    ['Admin', adminRoutes(), 'query'],
    ['Query', [...healthRoutes('1'), ...queryRoutes()], 'query'],
  ];
  for (const [name, routes, stack] of owners) {
    test(`every route that ${name} answers on the ${stack} API leads there`, () => {
      assert.ok(routes.length > 0);
      for (const { method, path } of routes) assert.equal(ownerOf(hub[stack], method, path), name, path);
    });
  }

  test('the page sends every route of the query API on, and no file of its own', () => {
    const patterns = API_PATHS.map(
      (path) => new RegExp(`^${path.replaceAll('.', '\\.').replaceAll('*', '.*').replaceAll('?', '.')}$`),
    );
    const isApi = (path: string) => patterns.some((pattern) => pattern.test(path));
    for (const [, routes, stack] of owners) {
      if (stack === 'query') for (const { path } of routes) assert.ok(isApi(path), path);
    }
    for (const path of [
      '/',
      '/index.html',
      '/config.json',
      '/assets/index-B1x.js',
      '/explore',
      '/clusters',
    ]) {
      assert.ok(!isApi(path), path);
    }
    const { CacheBehaviors, Origins } = hub.query.one('AWS::CloudFront::Distribution').Properties
      .DistributionConfig;
    assert.deepEqual(
      CacheBehaviors.map(({ PathPattern }: { PathPattern: string }) => PathPattern),
      API_PATHS,
    );
    assert.equal(Origins.length, 2, 'the page and the API');
  });

  test('stages log and throttle', () => {
    for (const { Properties } of everywhere('AWS::ApiGatewayV2::Stage')) {
      assert.ok(Properties.AccessLogSettings.DestinationArn);
      assert.ok(Properties.DefaultRouteSettings.ThrottlingRateLimit > 0);
    }
  });
});

/** The function behind the route that API Gateway picks: an exact one, else the longest that fits. */
function ownerOf(stack: Synthesized, method: string, path: string): string | undefined {
  const concrete = path.replace(/:\w+/g, 'x');
  const fits = stack.all('AWS::ApiGatewayV2::Route').filter(({ Properties }) => {
    const [routeMethod, routePath] = Properties.RouteKey.split(' ');
    const pattern = routePath
      .replaceAll('.', '\\.')
      .replace(/\{\w+\+\}/g, '.+')
      .replace(/\{\w+\}/g, '[^/]+');
    return routeMethod === method && new RegExp(`^${pattern}$`).test(concrete);
  });
  const [best] = fits.sort((a, b) => specificity(b) - specificity(a));
  const target = nameOf(best?.Properties.Target);
  const integration = stack
    .all('AWS::ApiGatewayV2::Integration')
    .find(({ id }) => target === `integrations/<${id}>`);
  return /^<([A-Z][a-z]+)[0-9A-F]{8}>$/.exec(nameOf(integration?.Properties.IntegrationUri))?.[1];
}

function specificity({ Properties }: Resource): number {
  const [, path] = Properties.RouteKey.split(' ');
  return path.replace(/\{.*/, '').length + (path.includes('{') ? 0 : 1000);
}

describe('queues', () => {
  test('every queue has dead letters, or takes them, for 14 days', () => {
    const queues = everywhere('AWS::SQS::Queue');
    const targets = queues
      .map(({ Properties }) => Properties.RedrivePolicy?.deadLetterTargetArn)
      .filter((arn) => arn !== undefined)
      .map(nameOf);
    assert.deepEqual(targets.sort(), ['dead-jobs', 'dead-letters']);
    const deadOnes = [...targets, 'missed'];
    for (const { id, Properties } of queues) {
      const takesDead = deadOnes.includes(nameOf({ Ref: id }));
      assert.equal(takesDead, Properties.RedrivePolicy === undefined, id);
      if (takesDead) assert.equal(Properties.MessageRetentionPeriod, 14 * 24 * 3600);
      else assert.ok(Properties.RedrivePolicy.maxReceiveCount >= 5);
      assert.equal(Properties.SqsManagedSseEnabled, true);
      assert.equal(Properties.MaximumMessageSize, 1024 * 1024);
    }
  });

  test('batches stay hidden for six times as long as the processor may take', () => {
    const [batches] = hub.data.all('AWS::SQS::Queue').filter(({ Properties }) => Properties.RedrivePolicy);
    const processor = functionNamed(hub.ingest, 'Processor');
    assert.ok(batches!.Properties.VisibilityTimeout >= 6 * processor.Properties.Timeout);
  });

  test('the processor gives back what it could not store, and no poller is throttled', () => {
    const { Properties } = hub.ingest.one('AWS::Lambda::EventSourceMapping');
    assert.deepEqual(Properties.FunctionResponseTypes, ['ReportBatchItemFailures']);
    assert.ok(Properties.BatchSize >= 45);
    const reserved = functionNamed(hub.ingest, 'Processor').Properties.ReservedConcurrentExecutions;
    assert.equal(reserved, 20);
    assert.ok(Properties.ScalingConfig.MaximumConcurrency <= reserved);
  });

  test('jobs stay hidden for six times as long as a worker may take, one at a time, and no poller is throttled', () => {
    const [jobs] = hub.compaction.all('AWS::SQS::Queue').filter(({ id }) => nameOf({ Ref: id }) === 'jobs');
    const worker = functionNamed(hub.compaction, 'CompactionWorker').Properties;
    assert.ok(jobs!.Properties.VisibilityTimeout >= 6 * worker.Timeout);
    const { Properties } = hub.compaction.one('AWS::Lambda::EventSourceMapping');
    assert.deepEqual(Properties.FunctionResponseTypes, ['ReportBatchItemFailures']);
    assert.equal(Properties.BatchSize, 1);
    assert.equal(worker.ReservedConcurrentExecutions, 8);
    assert.ok(Properties.ScalingConfig.MaximumConcurrency <= worker.ReservedConcurrentExecutions);
  });

  test('depth of dead letters and age of batches raise an alarm', () => {
    const watched = hub.data
      .all('AWS::CloudWatch::Alarm')
      .map(
        ({ Properties }) => `${Properties.MetricName} ${Properties.Dimensions?.[0].Value['Fn::GetAtt']?.[0]}`,
      );
    assert.ok(watched.some((text) => /^ApproximateNumberOfMessagesVisible BatchesDeadLetters/.test(text)));
    assert.ok(watched.some((text) => /^ApproximateAgeOfOldestMessage BatchesE/.test(text)));
  });
});

describe('what must not be lost or read', () => {
  test('buckets are encrypted, closed to the public, and take nothing without TLS', () => {
    const buckets = everywhere('AWS::S3::Bucket');
    const policies = everywhere('AWS::S3::BucketPolicy');
    for (const { id, Properties } of buckets) {
      assert.ok(Properties.BucketEncryption, id);
      assert.deepEqual(
        new Set(Object.values(Properties.PublicAccessBlockConfiguration)),
        new Set([true]),
        id,
      );
      const policy = policies.find(({ Properties: { Bucket } }) => Bucket.Ref === id);
      assert.ok(deniesWithoutTls(policy!), id);
    }
  });

  test('queues and the topic take nothing without TLS', () => {
    const policies = [...everywhere('AWS::SQS::QueuePolicy'), ...everywhere('AWS::SNS::TopicPolicy')];
    assert.equal(policies.length, 6);
    for (const policy of policies) assert.ok(deniesWithoutTls(policy), policy.id);
  });

  test('a block can only be put where none is', () => {
    const statement = hub.data
      .all('AWS::S3::BucketPolicy')
      .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
      .find(({ Sid }) => Sid === 'BlocksAreNeverOverwritten');
    assert.equal(statement.Effect, 'Deny');
    assert.equal(statement.Action, 's3:PutObject');
    assert.equal(nameOf(statement.Resource), 'bucket/blocks/*');
    assert.deepEqual(statement.Condition, {
      Null: { 's3:if-none-match': 'true' },
      Bool: { 's3:ObjectCreationOperation': 'true' },
    });
  });

  test('waiting batches outlive their messages, and unfinished uploads end', () => {
    const { Rules } = bucketOfBlocks(hub).Properties.LifecycleConfiguration;
    const ruleOf = (prefix: string) => Rules.find(({ Prefix }: { Prefix?: string }) => Prefix === prefix);
    assert.ok(ruleOf('inbox/').ExpirationInDays > 7 + 14);
    assert.equal(ruleOf('quarantine/').ExpirationInDays, 90);
    assert.equal(ruleOf('blocks/'), undefined);
    assert.ok(Rules.some((rule: object) => 'AbortIncompleteMultipartUpload' in rule));
  });

  test('the table is backed up, protected, billed by use, and forgets what has expired', () => {
    const { Properties } = hub.data.one('AWS::DynamoDB::Table');
    assert.deepEqual(Properties.KeySchema, [
      { AttributeName: 'pk', KeyType: 'HASH' },
      { AttributeName: 'sk', KeyType: 'RANGE' },
    ]);
    assert.equal(Properties.BillingMode, 'PAY_PER_REQUEST');
    assert.equal(Properties.DeletionProtectionEnabled, true);
    assert.equal(Properties.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled, true);
    assert.deepEqual(Properties.TimeToLiveSpecification, { AttributeName: 'expires', Enabled: true });
    assert.equal(Properties.GlobalSecondaryIndexes, undefined);
  });

  const STATEFUL = /^AWS::(S3::Bucket|DynamoDB::Table|SQS::Queue|Cognito::UserPool)$/;

  test('what holds data stays when its stack goes, and the stack is not deleted by mistake', () => {
    // Queues of compaction hold what is planned again within minutes.
    const { compaction, ...keeping } = hub;
    const stateful = Object.values(keeping).flatMap(({ resources }) =>
      resources.filter(({ Type }) => STATEFUL.test(Type)),
    );
    assert.deepEqual(
      new Set(compaction.resources.map(({ Type }) => Type).filter((type) => STATEFUL.test(type))),
      new Set(['AWS::SQS::Queue']),
    );
    assert.ok(stateful.length >= 6);
    for (const { id, DeletionPolicy, UpdateReplacePolicy } of stateful) {
      assert.equal(DeletionPolicy, 'Retain', id);
      assert.equal(UpdateReplacePolicy, 'Retain', id);
    }
    assert.equal(hubApp().stacks.data.terminationProtection, true);
  });

  test('unless the configuration says that it is only for trying out', () => {
    const stateful = Object.values(small).flatMap(({ resources }) =>
      resources.filter(({ Type }) => STATEFUL.test(Type)),
    );
    for (const { id, DeletionPolicy } of stateful) assert.equal(DeletionPolicy, 'Delete', id);
    assert.equal(small.data.one('AWS::DynamoDB::Table').Properties.DeletionProtectionEnabled, false);
  });

  test('ids of what holds data never change: another id would be another, empty one', () => {
    const ids = hub.data.resources.filter(({ Type }) => STATEFUL.test(Type)).map(({ id }) => id);
    assert.deepEqual(ids.sort(), [
      'BatchesDeadLetters189099B7',
      'BatchesE11AE858',
      'Blocks32B0A367',
      'BlocksAccessLogs5D80DACB',
      'TableCD117FA1',
    ]);
    assert.deepEqual(
      hub.query.all('AWS::Cognito::UserPool').map(({ id }) => id),
      ['SignIn1BF1EF28'],
    );
  });
});

function deniesWithoutTls({ Properties }: Resource): boolean {
  return Properties.PolicyDocument.Statement.some(
    ({ Effect, Condition }: { Effect: string; Condition?: { Bool?: Record<string, string> } }) =>
      Effect === 'Deny' && Condition?.Bool?.['aws:SecureTransport'] === 'false',
  );
}

function bucketOfBlocks({ data }: { data: Synthesized }): Resource {
  return data.all('AWS::S3::Bucket').find(({ id }) => nameOf({ Ref: id }) === 'bucket')!;
}

function functionNamed(stack: Synthesized, name: string): Resource {
  return stack.all('AWS::Lambda::Function').find(({ id }) => new RegExp(`^${name}[0-9A-F]{8}$`).test(id))!;
}

describe('functions', () => {
  const own = everywhere('AWS::Lambda::Function').filter(({ id }) => !id.startsWith('Custom'));

  test('run Node.js 24 on arm64, each with a role and logs of its own that end some day', () => {
    assert.equal(own.length, 9);
    for (const { id, Properties } of own) {
      assert.equal(Properties.Runtime, 'nodejs24.x', id);
      assert.deepEqual(Properties.Architectures, ['arm64'], id);
      assert.equal(Properties.LoggingConfig.LogFormat, 'JSON', id);
      assert.equal(Properties.LoggingConfig.SystemLogLevel, 'WARN', id);
      assert.equal(Properties.Handler, 'index.handler', id);
    }
    assert.equal(new Set(own.map(({ Properties }) => nameOf(Properties.Role))).size, 9);
    for (const { id, Properties } of everywhere('AWS::Logs::LogGroup'))
      assert.equal(Properties.RetentionInDays, 14, id);
  });

  test('end before API Gateway gives up on them', () => {
    for (const name of ['Query', 'Admin']) assert.ok(functionNamed(hub.query, name).Properties.Timeout < 30);
    assert.ok(functionNamed(hub.ingest, 'Ingest').Properties.Timeout < 30);
    assert.ok(functionNamed(hub.query, 'Authorizer').Properties.Timeout < 10);
  });

  test('whoever reads shares of queries has the time that the query function waits, and some', () => {
    const { Timeout, Environment } = functionNamed(hub.query, 'QueryWorker').Properties;
    assert.ok(Timeout * 1000 > WORKER_TIMEOUT_MS);
    // Time is left to read a share that failed.
    assert.ok(functionNamed(hub.query, 'Query').Properties.Timeout * 1000 > 2 * WORKER_TIMEOUT_MS);
    assert.deepEqual(Object.keys(Environment.Variables).sort(), [
      'CINDERBLOCK_BUCKET',
      'CINDERBLOCK_STAGE',
      'CINDERBLOCK_TENANT',
    ]);
  });

  test('the query function knows its workers; without workers there is no such function, right or alarm', () => {
    const variablesOf = (stack: Synthesized) =>
      functionNamed(stack, 'Query').Properties.Environment.Variables;
    const told = variablesOf(hub.query);
    assert.equal(told.CINDERBLOCK_QUERY_WORKERS, '4');
    assert.equal(nameOf(told.CINDERBLOCK_QUERY_WORKER_FUNCTION), 'query-worker');
    assert.equal(told.CINDERBLOCK_QUERY_FAN_OUT_BYTES, undefined);
    const config = { region: 'eu-central-1', queryFanOutBytes: 1 };
    assert.equal(variablesOf(synthesizedHub(config).query).CINDERBLOCK_QUERY_FAN_OUT_BYTES, '1');
    const alone = synthesizedHub({ ...config, queryWorkers: 0 });
    assert.equal(functionNamed(alone.query, 'QueryWorker'), undefined);
    assert.ok(!Object.keys(variablesOf(alone.query)).some((name) => name.startsWith('CINDERBLOCK_QUERY')));
    assert.doesNotMatch(JSON.stringify(alone.query.json), /query_failed_shares_total/);
    const actions = statementsOf(alone.query, 'Query').flatMap(({ Action }) => Action);
    assert.ok(!actions.includes('lambda:InvokeFunction'));
  });

  test('who merges blocks is told which labels to roll up, where there are any', () => {
    const labelsIn = (stack: Synthesized) =>
      functionNamed(stack, 'CompactionWorker').Properties.Environment.Variables.CINDERBLOCK_ROLL_UP_LABELS;
    assert.equal(labelsIn(hub.compaction), undefined);
    const config = { region: 'eu-central-1', rollUpLabels: ['pod', 'container_id'] };
    assert.equal(labelsIn(synthesizedHub(config).compaction), 'pod,container_id');
  });

  test('set executions aside only where the configuration says so', () => {
    const reserved = own.map(({ Properties }) => Properties.ReservedConcurrentExecutions);
    assert.deepEqual(reserved.filter((count) => count !== undefined).sort(), [20, 200, 50, 8]);
    for (const stack of [small.ingest, small.compaction])
      for (const { Properties } of stack.all('AWS::Lambda::Function'))
        assert.equal(Properties.ReservedConcurrentExecutions, undefined);
  });
});

describe('schedules', () => {
  const schedules = hub.compaction.all('AWS::Scheduler::Schedule').map(({ Properties }) => Properties);
  const callsOf = (name: string) =>
    schedules
      .filter(({ Target }) => nameOf(Target.Arn) === `<${functionNamed(hub.compaction, name).id}>`)
      .map(({ ScheduleExpression, Target }) => [ScheduleExpression, JSON.parse(Target.Input)]);

  test('compaction of the newest hours is planned every ten minutes, and of all that there is every hour', () => {
    assert.deepEqual(callsOf('CompactionPlanner'), [
      ['rate(10 minutes)', { scope: 'fresh' }],
      ['rate(1 hour)', { scope: 'all' }],
    ]);
  });

  test('every task of the housekeeper has one', () => {
    const wanted = Object.entries(HOUSEKEEPING).map(([task, rate]) => [rate, { task }]);
    assert.deepEqual(callsOf('CompactionHousekeeper').sort(), wanted.sort());
    assert.ok(wanted.length > 1);
  });

  test('what could not be called, or failed again and again, is kept and raises an alarm', () => {
    assert.equal(schedules.length, 2 + Object.keys(HOUSEKEEPING).length);
    for (const { Target, ScheduleExpression } of schedules) {
      assert.equal(nameOf(Target.DeadLetterConfig.Arn), 'missed', ScheduleExpression);
      assert.ok(Target.RetryPolicy.MaximumRetryAttempts > 0);
      assert.ok(Target.RetryPolicy.MaximumEventAgeInSeconds <= 3600);
    }
    const configs = hub.compaction.all('AWS::Lambda::EventInvokeConfig');
    assert.equal(configs.length, 2);
    for (const { Properties } of configs)
      assert.equal(nameOf(Properties.DestinationConfig.OnFailure.Destination), 'missed');
  });

  test('their roles may call one function each, and are for schedules of this account', () => {
    for (const name of ['Plans', 'Tasks']) {
      const calls = statementsOf(hub.compaction, `Compaction${name}`).map(({ Action, Resource }) => [
        Action,
        nameOf(Resource),
      ]);
      const called = name === 'Plans' ? 'CompactionPlanner' : 'CompactionHousekeeper';
      assert.deepEqual(calls, [
        ['lambda:InvokeFunction', `<${functionNamed(hub.compaction, called).id}>`],
        ['sqs:SendMessage', 'missed'],
      ]);
      const role = hub.compaction
        .all('AWS::IAM::Role')
        .find(({ id }) => id.startsWith(`Compaction${name}Role`));
      const [trust] = role!.Properties.AssumeRolePolicyDocument.Statement;
      assert.deepEqual(trust.Principal, { Service: 'scheduler.amazonaws.com' });
      assert.deepEqual(Object.keys(trust.Condition.StringEquals), ['aws:SourceAccount']);
    }
  });

  test('a planner that is silent for 30 minutes is an alarm', () => {
    const silent = hub.compaction
      .all('AWS::CloudWatch::Alarm')
      .find(({ Properties }) => Properties.MetricName === 'compaction_plans_total')!.Properties;
    assert.equal(silent.TreatMissingData, 'breaching');
    assert.equal(silent.ComparisonOperator, 'LessThanThreshold');
    assert.equal(silent.EvaluationPeriods * silent.Period, 30 * 60);
    assert.deepEqual(silent.Dimensions, [
      { Name: 'service', Value: 'compaction-planner' },
      { Name: 'stage', Value: 'prod' },
    ]);
  });
});

describe('alarms', () => {
  const alarms = everywhere('AWS::CloudWatch::Alarm');
  const slugOf = ({ Properties }: Resource) => Properties.AlarmDescription.split(`${RUNBOOK}#`)[1];

  test('each says where to read on, and tells the topic when it goes off and when all is well', () => {
    for (const alarm of alarms) {
      assert.ok(ALARM_SLUGS.includes(slugOf(alarm)), alarm.id);
      assert.equal(alarm.Properties.AlarmActions.length, 1, alarm.id);
      assert.deepEqual(alarm.Properties.OKActions, alarm.Properties.AlarmActions, alarm.id);
    }
  });

  test('each kind is raised by something', () => {
    assert.deepEqual([...new Set(alarms.map(slugOf))].sort(), [...ALARM_SLUGS].sort());
  });

  test('each kind has a heading in the runbook', () => {
    const headings = [...readFileSync(join(ROOT, RUNBOOK), 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, text]) =>
      text!.toLowerCase().replaceAll(' ', '-'),
    );
    assert.deepEqual(
      ALARM_SLUGS.filter((slug) => !headings.includes(slug)),
      [],
    );
  });

  test('every function, API and queue has some', () => {
    const count = (pattern: RegExp) => alarms.filter(({ id }) => pattern.test(id)).length;
    const names = ['Ingest', 'Processor', 'Query', 'QueryWorker', 'Admin', 'Authorizer'];
    for (const name of [...names, 'CompactionPlanner', 'CompactionWorker', 'CompactionHousekeeper'])
      assert.equal(count(new RegExp(`^${name}(Errors|Throttles|Slow)[0-9A-F]{8}$`)), 3, name);
    assert.equal(count(/^ApiServerErrors/), 2);
  });

  test('silence is an alarm once agents are expected', () => {
    const isSilence = (alarm: Resource) => slugOf(alarm) === 'no-uploads';
    assert.equal(alarms.find(isSilence)?.Properties.TreatMissingData, 'breaching');
    assert.equal(small.ingest.all('AWS::CloudWatch::Alarm').some(isSilence), false);
  });

  test('the budget tells the same people', () => {
    const { Budget, NotificationsWithSubscribers } = hub.ops.one('AWS::Budgets::Budget').Properties;
    assert.equal(Budget.BudgetLimit.Amount, 250);
    for (const { Subscribers } of NotificationsWithSubscribers)
      assert.equal(Subscribers[0].Address, 'operators@example.com');
    assert.equal(hub.data.one('AWS::SNS::Subscription').Properties.Endpoint, 'operators@example.com');
    assert.deepEqual(small.ops.all('AWS::Budgets::Budget'), []);
  });
});

describe('sign-in and page', () => {
  test('people are added by administrators, with a second factor', () => {
    const { Properties } = hub.query.one('AWS::Cognito::UserPool');
    assert.equal(Properties.AdminCreateUserConfig.AllowAdminCreateUserOnly, true);
    assert.equal(Properties.MfaConfiguration, 'ON');
    const client = hub.query.one('AWS::Cognito::UserPoolClient').Properties;
    assert.equal(client.GenerateSecret, false);
    assert.deepEqual(client.AllowedOAuthFlows, ['code']);
    assert.match(nameOf(client.CallbackURLs[0]), /^https:\/\/<Web\w+>\/$/);
    assert.equal(hub.query.one('AWS::Cognito::UserPoolGroup').Properties.GroupName, 'cinderblock-admins');
  });

  test('another issuer makes no user pool, and the authorizer asks that one', () => {
    assert.deepEqual(small.query.all('AWS::Cognito::UserPool'), []);
    const { Variables } = functionNamed(small.query, 'Authorizer').Properties.Environment;
    assert.equal(Variables.CINDERBLOCK_OIDC_ISSUER, 'https://id.example.com/realm');
    assert.equal(Variables.CINDERBLOCK_OIDC_GROUPS_CLAIM, 'groups');
  });

  test('the page may call its own origin and who signs people in, and runs nothing but its own files', () => {
    const { SecurityHeadersConfig: headers } = hub.query.one('AWS::CloudFront::ResponseHeadersPolicy')
      .Properties.ResponseHeadersPolicyConfig;
    const policy = nameOf(headers.ContentSecurityPolicy.ContentSecurityPolicy);
    assert.match(
      policy,
      /^default-src 'self'; connect-src 'self' https:\/\/cognito-idp\.eu-central-1\.amazonaws\.com https:\/\/<SignInDomain\w+>\.auth\./,
    );
    assert.match(policy, /object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'$/);
    assert.doesNotMatch(policy, /unsafe|\*/);
    assert.equal(headers.FrameOptions.FrameOption, 'DENY');
    assert.ok(headers.StrictTransportSecurity.AccessControlMaxAgeSec >= 31_536_000);
    assert.ok(headers.ContentTypeOptions && headers.ReferrerPolicy);
  });

  test('every path of a view is the page, and files are files', () => {
    const { FunctionCode } = hub.query.one('AWS::CloudFront::Function').Properties;
    const shown = (uri: string) =>
      runInNewContext(`${FunctionCode}; handler({ request: { uri } }).uri`, { uri });
    for (const view of ['/', '/explore', '/clusters/eu.west/x'])
      assert.equal(shown(view), '/index.html', view);
    for (const file of ['/index.html', '/config.json', '/assets/main-1a2b.js'])
      assert.equal(shown(file), file);
  });

  test('no page, no CloudFront, nothing uploaded', () => {
    assert.deepEqual(
      small.query.resources.filter(({ Type }) => /CloudFront|^Custom|S3/.test(Type)),
      [],
    );
  });
});

test('stacks hold one another by nothing that cannot be replaced', () => {
  const text = JSON.stringify(Object.values(hub).map(({ json }) => json));
  assert.doesNotMatch(text, /Fn::ImportValue|"Export"/);
});

test('the checks of every synthesis find nothing in a hub', () => {
  assert.deepEqual(brokenRulesOf(hubApp(undefined, { validates: true }).app), []);
});

test('the checks find what is wrong, but for wildcards that are acknowledged by their end', () => {
  const app = newApp({ validates: true });
  const stack = new Stack(app, 'Careless');
  const role = new Role(stack, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
  role.addToPolicy(new PolicyStatement({ actions: ['s3:GetObject'], resources: ['arn:aws:s3:::b/inbox/*'] }));
  role.addToPolicy(new PolicyStatement({ actions: ['s3:Get*'], resources: ['arn:aws:s3:::b/blocks/*'] }));
  acknowledgeWildcard(role, '/inbox/*', 'test');
  new Queue(stack, 'Queue');
  new CfnResource(stack, 'Misspelt', { type: 'AWS::SQS::Queue', properties: { VisibiltyTimeout: 30 } });
  const rules = brokenRulesOf(app);
  assert.ok(rules.includes('AwsSolutions-IAM5[Action::s3:Get*]'), String(rules));
  assert.ok(rules.includes('AwsSolutions-IAM5[Resource::arn:aws:s3:::b/blocks/*]'), String(rules));
  assert.ok(rules.includes('AwsSolutions-SQS4'), String(rules));
  assert.ok(!rules.includes('AwsSolutions-IAM5[Resource::arn:aws:s3:::b/inbox/*]'), String(rules));
  // A property that its resource does not have.
  assert.ok(rules.includes('F3002'), String(rules));
});

/** Asset hashes change with what is built. */
function normalized({ json }: Synthesized): string {
  const text = JSON.stringify(json, undefined, 1);
  return `${text.replace(/[0-9a-f]{64}/g, '<hash>')}\n`;
}

describe('templates are as they were; CINDERBLOCK_UPDATE=1 takes them as they are', () => {
  const folder = join(import.meta.dirname, 'fixtures');
  for (const [name, stack] of Object.entries(hub)) {
    test(name, () => {
      const file = join(folder, `${name}.template.json`);
      if (process.env.CINDERBLOCK_UPDATE === '1' || !existsSync(file)) {
        assert.equal(process.env.CINDERBLOCK_UPDATE, '1', `${file} is missing`);
        mkdirSync(folder, { recursive: true });
        writeFileSync(file, normalized(stack));
      }
      assert.equal(normalized(stack), readFileSync(file, 'utf8'));
    });
  }
});
