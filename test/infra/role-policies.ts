import type { Command } from '../storage/aws/command-clients.ts';
import type { Synthesized } from './synthesized.ts';

/** What somebody asks of AWS, as IAM sees it. */
export interface Request {
  action: string;
  /** `bucket/<key>`, `bucket`, `table`, `queue`, `dead-letters`, `jobs`, `query-worker`. */
  resource: string;
  /** Partition keys of the items, for the table. */
  partitions?: string[];
}

interface Statement {
  Effect: string;
  Action: string | string[];
  Resource: unknown;
  Condition?: Record<string, Record<string, string[]>>;
}

/** Logical ids of what several use, and what they are called here. */
const RESOURCES: Record<string, string> = {
  Blocks32B0A367: 'bucket',
  TableCD117FA1: 'table',
  BatchesE11AE858: 'queue',
  BatchesDeadLetters189099B7: 'dead-letters',
  CompactionJobs38B8C46D: 'jobs',
  CompactionJobsDeadLettersFE203DE6: 'dead-jobs',
  CompactionMissed9035F14D: 'missed',
  QueryWorker83BA5EE5: 'query-worker',
};

/** The policies of a role that a construct made, by the construct's id. */
export function statementsOf(stack: Synthesized, construct: string): Statement[] {
  const roles = stack.all('AWS::IAM::Role').filter(({ id }) => id.startsWith(`${construct}Role`));
  return stack
    .all('AWS::IAM::Policy')
    .filter(({ Properties }) =>
      Properties.Roles.some(({ Ref }: { Ref: string }) => roles.some(({ id }) => id === Ref)),
    )
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement);
}

/** Whether IAM would allow it: some statement does. None of these policies denies anything. */
export function allows(statements: readonly Statement[], request: Request): boolean {
  return statements.some((statement) => {
    if (statement.Effect !== 'Allow') throw new Error('this knows nothing of Deny');
    return (
      listOf(statement.Action).includes(request.action) &&
      listOf(statement.Resource).some((resource) => matches(nameOf(resource), request.resource)) &&
      conditionHolds(statement.Condition, request.partitions ?? [])
    );
  });
}

function conditionHolds(condition: Statement['Condition'], partitions: readonly string[]): boolean {
  if (condition === undefined) return true;
  const { 'ForAllValues:StringLike': like, ...others } = condition;
  const { 'dynamodb:LeadingKeys': patterns, ...otherKeys } = like ?? {};
  if (patterns === undefined || Object.keys({ ...others, ...otherKeys }).length > 0)
    throw new Error(`this knows nothing of ${JSON.stringify(condition)}`);
  return partitions.every((partition) => patterns.some((pattern) => matches(pattern, partition)));
}

function matches(pattern: string, text: string): boolean {
  const escaped = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${escaped}$`).test(text);
}

function listOf<T>(value: T | T[]): T[] {
  return Array.isArray(value) ? value : [value];
}

/** A resource in a policy as text: references by their names above, or as `<their id>`. */
export function nameOf(value: unknown): string {
  if (typeof value === 'string') return value;
  // biome-ignore lint/suspicious/noExplicitAny: intrinsic functions are JSON of any shape
  const intrinsic = value as any;
  if (intrinsic['Fn::Join']) return intrinsic['Fn::Join'][1].map(nameOf).join(intrinsic['Fn::Join'][0]);
  if (intrinsic['Fn::GetAtt']) return named(intrinsic['Fn::GetAtt'][0]);
  if (intrinsic.Ref) return named(intrinsic.Ref);
  const [, id] =
    /^PublishOutput(?:FnGetAtt|Ref)(\w+?)(?:Arn)?[0-9A-F]{8}$/.exec(
      intrinsic['Fn::GetStackOutput']?.OutputName ?? '',
    ) ?? [];
  if (id === undefined) throw new Error(`this knows nothing of ${JSON.stringify(value)}`);
  return named(id);
}

function named(id: string): string {
  return RESOURCES[id] ?? `<${id}>`;
}

/** What IAM is asked when the SDK sends a command to the bucket `bucket`, the table `table`, or the two queues. */
export function requestsOf({ name, input }: Command): Request[] {
  const { TransactItems, RequestItems, Key, Item, QueueUrl } = input;
  if (TransactItems) return TransactItems.flatMap(transactionRequest);
  if (name === 'BatchGetItem') return [onTable(name, RequestItems.table.Keys)];
  if (name === 'BatchWriteItem') return [onTable(name, RequestItems.table.map(writtenKey))];
  if (name === 'Query') return [onTable(name, [{ pk: input.ExpressionAttributeValues[':pk'] }])];
  if (input.TableName) return [onTable(name, [Key ?? Item])];
  if (name === 'ListObjectsV2') return [{ action: 's3:ListBucket', resource: input.Bucket }];
  if (input.Bucket) return [{ action: objectAction(name), resource: `${input.Bucket}/${Key}` }];
  if (name === 'Invoke') return [{ action: 'lambda:InvokeFunction', resource: input.FunctionName }];
  return [{ action: `sqs:${name.replace(/Batch$/, '')}`, resource: QueueUrl ?? input.SourceArn }];
}

interface ItemKey {
  pk: { S: string };
}

function onTable(name: string, keys: ItemKey[]): Request {
  return { action: `dynamodb:${name}`, resource: 'table', partitions: keys.map(({ pk }) => pk.S) };
}

/** A transaction is allowed when each of its parts is. */
// biome-ignore lint/suspicious/noExplicitAny: the inputs of the SDK
function transactionRequest({ Put, Update, Delete }: any): Request {
  if (Put) return onTable('PutItem', [Put.Item]);
  return Update ? onTable('UpdateItem', [Update.Key]) : onTable('DeleteItem', [Delete.Key]);
}

// biome-ignore lint/suspicious/noExplicitAny: the inputs of the SDK
function writtenKey({ DeleteRequest, PutRequest }: any): ItemKey {
  return DeleteRequest?.Key ?? PutRequest.Item;
}

function objectAction(name: string): string {
  return `s3:${name === 'HeadObject' ? 'GetObject' : name}`;
}
