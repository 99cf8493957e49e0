// Where MiniStack 1.5.33 differs from AWS so that the hub's templates cannot stay as they are. Each gap is declared with
// the least that meets it, which must fail: a gap that was closed is noticed. What the templates have of it is written in
// words that the stand-in knows, and nothing else about them is changed. What it lacks of IAM is in launch-stand-in.py.

import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import type { Caller } from './signed-call.ts';
import { createStack, type Resource, type Template } from './stacks.ts';

export interface KnownGap {
  name: string;
  /** Does what AWS allows and the stand-in refuses. */
  meet(caller: Caller): Promise<void>;
  /** Changes a template in place. @returns how many places it changed */
  work(template: Template): number;
}

export const KNOWN_GAPS: readonly KnownGap[] = [
  {
    name: 'alarms on an expression over several metrics',
    meet: stackOf('alarm', {
      Resources: {
        Alarm: {
          Type: 'AWS::CloudWatch::Alarm',
          Properties: {
            ComparisonOperator: 'GreaterThanThreshold',
            EvaluationPeriods: 1,
            Threshold: 1,
            Metrics: [
              { Id: 'all', Expression: 'one + one' },
              {
                Id: 'one',
                ReturnData: false,
                MetricStat: { Metric: { Namespace: 'N', MetricName: 'M' }, Period: 60, Stat: 'Sum' },
              },
            ],
          },
        },
      },
    }),
    work: (template) => eachOf(template, 'AWS::CloudWatch::Alarm', watchFirstMetric),
  },
  {
    name: 'the address of the issuer of a user pool',
    meet: stackOf('issuer', {
      Resources: { Pool: { Type: 'AWS::Cognito::UserPool' } },
      Outputs: { Issuer: { Value: { 'Fn::GetAtt': ['Pool', 'ProviderURL'] } } },
    }),
    work: spellOutIssuers,
  },
  {
    name: 'budgets',
    meet: stackOf('budget', {
      Resources: {
        Budget: {
          Type: 'AWS::Budgets::Budget',
          Properties: {
            Budget: { BudgetType: 'COST', TimeUnit: 'MONTHLY', BudgetLimit: { Amount: 1, Unit: 'USD' } },
          },
        },
      },
    }),
    work: (template) => eachOf(template, 'AWS::Budgets::Budget', (id) => delete template.Resources![id]),
  },
  {
    name: 'the Python of Lambda, with its SDK, for the CDK’s uploader of pages',
    meet: runPython,
    work: leaveOutUploads,
  },
];

function stackOf(name: string, template: Template): KnownGap['meet'] {
  return (caller) => createStack(`gap-${name}`, template, {}, caller);
}

function eachOf(
  template: Template,
  type: string,
  change: (id: string, resource: Resource) => boolean,
): number {
  const found = Object.entries(template.Resources ?? {}).filter(([, resource]) => resource.Type === type);
  return found.filter(([id, resource]) => change(id, resource)).length;
}

interface Metric {
  MetricStat?: { Metric: Record<string, unknown>; Period: number; Stat: string };
}

/** The alarm stays, and watches the first of its metrics. */
function watchFirstMetric(_id: string, { Properties }: Resource): boolean {
  const { Metrics: metrics, ...rest } = Properties as { Metrics?: Metric[] };
  if (metrics === undefined) return false;
  const { Metric: metric, Period, Stat } = metrics.find(({ MetricStat }) => MetricStat)!.MetricStat!;
  const statistic = /^p\d/.test(Stat) ? { ExtendedStatistic: Stat } : { Statistic: Stat };
  for (const name of Object.keys(Properties!)) delete Properties![name];
  Object.assign(Properties!, rest, metric, { Period }, statistic);
  return true;
}

/** As https://docs.aws.amazon.com/cognito/latest/developerguide/federation-endpoints.html writes it. */
function spellOutIssuers(template: Template): number {
  let found = 0;
  const spelled = JSON.parse(JSON.stringify(template), (_key, value) => {
    const [pool, attribute] = value?.['Fn::GetAtt'] ?? [];
    if (attribute !== 'ProviderURL') return value;
    found++;
    return { 'Fn::Sub': `https://cognito-idp.\${AWS::Region}.amazonaws.com/\${${pool}}` };
  });
  Object.assign(template, spelled);
  return found;
}

/** Files of a page have to be uploaded otherwise. */
function leaveOutUploads(template: Template): number {
  const uploads = Object.entries(template.Resources ?? {}).filter(
    ([, { Type }]) => Type === 'Custom::CDKBucketDeployment',
  );
  for (const [id] of uploads) delete template.Resources![id];
  const gone = new Set(uploads.map(([id]) => id));
  for (const resource of Object.values(template.Resources ?? {})) {
    const { DependsOn: needs } = resource;
    if (Array.isArray(needs)) resource.DependsOn = needs.filter((id) => !gone.has(id));
  }
  return uploads.length;
}

/** As the uploader begins. */
async function runPython({ endpoint, region, ...credentials }: Caller): Promise<void> {
  const ZipFile = 'import boto3\ndef handler(event, context):\n  return boto3.__version__\n';
  const trust = {
    Statement: [
      { Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' },
    ],
  };
  const Properties = {
    FunctionName: 'gap-python',
    Runtime: 'python3.13',
    Handler: 'index.handler',
    Code: { ZipFile },
    Role: { 'Fn::GetAtt': ['Role', 'Arn'] },
  };
  const Resources = {
    Role: { Type: 'AWS::IAM::Role', Properties: { AssumeRolePolicyDocument: trust } },
    Function: { Type: 'AWS::Lambda::Function', Properties },
  };
  await createStack('gap-python', { Resources }, {}, { endpoint, region, ...credentials });
  const lambda = new LambdaClient({ endpoint, region, credentials });
  const answer = await lambda.send(new InvokeCommand({ FunctionName: 'gap-python' }));
  if (answer.FunctionError !== undefined) throw new Error(String(answer.Payload?.transformToString()));
}
