import type { DynamoDBClient, TransactWriteItem } from '@aws-sdk/client-dynamodb';
import {
  BatchGetItemCommand,
  BatchWriteItemCommand,
  DeleteItemCommand,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { type Fields, type Item, toItem, toValue } from './attribute-values.ts';
import { answered, cancellationCodes, reactionTo } from './aws-errors.ts';
import { CALL_BACKOFF, untilDone } from './backoff.ts';
import { chunks, inParallel } from './in-parallel.ts';
import type { Key } from './names.ts';

/** What the adapters need of a client; tests put a scripted one in its place. */
export type DynamoClient = Pick<DynamoDBClient, 'send'>;

/** Limits of the API (BatchGetItem, BatchWriteItem, TransactWriteItems). */
export const MAX_BATCH_GET = 100;
const MAX_BATCH_WRITE = 25;
export const MAX_TRANSACTION_ITEMS = 100;

/**
 * An expression of DynamoDB in which `#name` stands for the attribute `name` and `:name` for the value of that name:
 * so no reserved word can get in the way, and no list of names has to be kept beside it.
 */
export interface Conditional {
  condition?: string;
  values?: Fields;
}

export interface Change extends Conditional {
  update: string;
}

/** A conditional write: its new item, or the item that stands in the way, if there is one. */
export type WriteOutcome = { done: true; item: Item } | { done: false; old: Item | undefined };

export interface KeyRange {
  /** Sort keys from this on, and up to `to`, both inclusive. */
  from?: string;
  to?: string;
  prefix?: string;
  /** Items per page: less is read when the reader stops early. */
  pageSize?: number;
}

/** One table, read consistently throughout. Errors come as storage/aws/aws-errors.ts sorts them. */
export interface DynamoTable {
  get(key: Key): Promise<Item | undefined>;
  put(key: Key, fields: Fields, conditional?: Conditional): Promise<WriteOutcome>;
  update(key: Key, change: Change): Promise<WriteOutcome>;
  delete(key: Key, conditional?: Conditional): Promise<WriteOutcome>;
  /** Items of a partition by ascending sort key. */
  query(pk: string, range?: KeyRange): AsyncGenerator<Item>;
  /** Those of the items that exist, in no order. */
  getMany(keys: Key[]): Promise<Item[]>;
  deleteMany(keys: Key[]): Promise<void>;
  /**
   * All or nothing, once: `token` (at most 36 characters) names the request for ten minutes.
   * Answers false when a condition did not hold.
   */
  transact(items: TransactWriteItem[], token: string): Promise<boolean>;
  /** Parts of a transaction. */
  putPart(key: Key, fields: Fields, conditional?: Conditional): TransactWriteItem;
  updatePart(key: Key, change: Change): TransactWriteItem;
}

export function dynamoTable(client: DynamoClient, name: string): DynamoTable {
  const table = { TableName: name };
  return {
    async get(key) {
      return answered(`read ${key.pk}`, async () => {
        const command = new GetItemCommand({ ...table, Key: toItem({ ...key }), ConsistentRead: true });
        return (await client.send(command)).Item;
      });
    },
    async put(key, fields, conditional = {}) {
      const item = toItem({ ...key, ...fields });
      return conditionally(`write ${key.pk}`, async () => {
        await client.send(
          new PutItemCommand({ ...table, Item: item, ...expressions(conditional), ...ON_FAILURE }),
        );
        return item;
      });
    },
    async update(key, change) {
      return conditionally(`change ${key.pk}`, async () => {
        const { Attributes } = await client.send(
          new UpdateItemCommand({
            ...table,
            Key: toItem({ ...key }),
            ...expressions(change),
            ReturnValues: 'ALL_NEW',
            ...ON_FAILURE,
          }),
        );
        return Attributes ?? {};
      });
    },
    async delete(key, conditional = {}) {
      return conditionally(`delete ${key.pk}`, async () => {
        const Key = toItem({ ...key });
        await client.send(
          new DeleteItemCommand({ ...table, Key, ...expressions(conditional), ...ON_FAILURE }),
        );
        return {};
      });
    },
    query: (pk, range = {}) => query(client, name, pk, range),
    async getMany(keys) {
      const pages = await inParallel(chunks(keys, MAX_BATCH_GET), (some) => getSome(client, name, some));
      return pages.flat();
    },
    async deleteMany(keys) {
      await inParallel(chunks(keys, MAX_BATCH_WRITE), (some) => deleteSome(client, name, some));
    },
    async transact(items, token) {
      return transact(client, items, token);
    },
    putPart: (key, fields, conditional = {}) => ({
      Put: { ...table, Item: toItem({ ...key, ...fields }), ...expressions(conditional) },
    }),
    updatePart: (key, change) => ({
      Update: {
        ...table,
        Key: toItem({ ...key }),
        ...(expressions(change) as ReturnType<typeof expressions> & { UpdateExpression: string }),
      },
    }),
  };
}

const ON_FAILURE = { ReturnValuesOnConditionCheckFailure: 'ALL_OLD' } as const;

function expressions({ condition, values = {}, ...change }: Partial<Change>) {
  const update = change.update;
  const named = `${condition ?? ''} ${update ?? ''}`.match(/#[A-Za-z_0-9]+/g) ?? [];
  const valued = Object.entries(values).filter(([, value]) => value !== undefined);
  return {
    ...(condition === undefined ? {} : { ConditionExpression: condition }),
    ...(update === undefined ? {} : { UpdateExpression: update }),
    ...(named.length === 0
      ? {}
      : { ExpressionAttributeNames: Object.fromEntries(named.map((name) => [name, name.slice(1)])) }),
    ...(valued.length === 0
      ? {}
      : {
          ExpressionAttributeValues: Object.fromEntries(
            valued.map(([name, value]) => [`:${name}`, toValue(value as string)]),
          ),
        }),
  };
}

/** A write that meets a transaction under way on its item is refused by DynamoDB, and simply made again. */
async function conditionally(doing: string, write: () => Promise<Item>): Promise<WriteOutcome> {
  return answered(doing, () =>
    untilDone<WriteOutcome>(doing, CALL_BACKOFF, async () => {
      try {
        return { done: true, item: await write() };
      } catch (error) {
        if (reactionTo(error) !== 'condition') throw error;
        return { done: false, old: (error as { Item?: Item }).Item };
      }
    }),
  );
}

async function* query(
  client: DynamoClient,
  name: string,
  pk: string,
  { from, to, prefix, pageSize }: KeyRange,
): AsyncGenerator<Item> {
  const { condition, values } = keyCondition({ from, to, prefix });
  let start: Item | undefined;
  do {
    const page = await answered(`query ${pk}`, () =>
      client.send(
        new QueryCommand({
          TableName: name,
          ConsistentRead: true,
          KeyConditionExpression: `pk = :pk${condition}`,
          ExpressionAttributeValues: toItem({ ':pk': pk, ...values }),
          ExclusiveStartKey: start,
          Limit: pageSize,
        }),
      ),
    );
    yield* page.Items ?? [];
    start = page.LastEvaluatedKey;
  } while (start !== undefined && Object.keys(start).length > 0);
}

/** DynamoDB takes one condition on the sort key. */
function keyCondition({ from, to, prefix }: KeyRange): { condition: string; values: Fields } {
  if (prefix !== undefined)
    return { condition: ' AND begins_with(sk, :prefix)', values: { ':prefix': prefix } };
  if (from !== undefined && to !== undefined) {
    return { condition: ' AND sk BETWEEN :from AND :to', values: { ':from': from, ':to': to } };
  }
  if (from !== undefined) return { condition: ' AND sk >= :from', values: { ':from': from } };
  if (to !== undefined) return { condition: ' AND sk <= :to', values: { ':to': to } };
  return { condition: '', values: {} };
}

/** What was not processed for want of capacity is asked for again. */
async function getSome(client: DynamoClient, name: string, keys: Key[]): Promise<Item[]> {
  const doing = `read ${keys.length} items`;
  const found: Item[] = [];
  let left = keys.map((key) => toItem({ ...key }));
  await answered(doing, () =>
    untilDone<'all'>(doing, CALL_BACKOFF, async () => {
      const RequestItems = { [name]: { Keys: left, ConsistentRead: true } };
      const { Responses, UnprocessedKeys } = await client.send(new BatchGetItemCommand({ RequestItems }));
      found.push(...(Responses?.[name] ?? []));
      left = UnprocessedKeys?.[name]?.Keys ?? [];
      return left.length === 0 ? 'all' : 'again';
    }),
  );
  return found;
}

async function deleteSome(client: DynamoClient, name: string, keys: Key[]): Promise<void> {
  const doing = `delete ${keys.length} items`;
  let left = keys.map((key) => ({ DeleteRequest: { Key: toItem({ ...key }) } }));
  await answered(doing, () =>
    untilDone<'all'>(doing, CALL_BACKOFF, async () => {
      const { UnprocessedItems } = await client.send(
        new BatchWriteItemCommand({ RequestItems: { [name]: left } }),
      );
      left = (UnprocessedItems?.[name] ?? []) as typeof left;
      return left.length === 0 ? 'all' : 'again';
    }),
  );
}

/** Conflicts with other transactions pass: they are tried again under the same token, conditions that fail are not. */
async function transact(client: DynamoClient, items: TransactWriteItem[], token: string): Promise<boolean> {
  const doing = `write ${items.length} items in one transaction`;
  return answered(doing, () =>
    untilDone<boolean>(doing, CALL_BACKOFF, async () => {
      try {
        await client.send(new TransactWriteItemsCommand({ TransactItems: items, ClientRequestToken: token }));
        return true;
      } catch (error) {
        if (cancellationCodes(error).includes('ConditionalCheckFailed')) return false;
        throw error;
      }
    }),
  );
}
