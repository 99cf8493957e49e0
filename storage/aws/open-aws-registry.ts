import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Registry } from '../registry.ts';
import { type AwsPlace, clientOptions } from './client-options.ts';
import { dynamodbRegistry } from './dynamodb-registry.ts';
import { dynamoTable } from './dynamodb-table.ts';

export interface AwsRegistryOptions extends AwsPlace {
  table: string;
  /** Now, in ms since epoch. */
  clock: () => number;
}

/** The registry alone, for who needs no other port: without the clients of the other services. */
export function openAwsRegistry(options: AwsRegistryOptions): Registry {
  const { table, clock } = options;
  return dynamodbRegistry(dynamoTable(new DynamoDBClient(clientOptions(options)), table), clock);
}
