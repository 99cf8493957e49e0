import type { Registry, Settings } from '../registry.ts';
import { number, text } from './attribute-values.ts';
import { dynamodbAgents } from './dynamodb-agents.ts';
import { dynamodbBatchLedger } from './dynamodb-batch-ledger.ts';
import { dynamodbIdentities } from './dynamodb-identities.ts';
import type { DynamoTable } from './dynamodb-table.ts';
import { counterKey, settingKey } from './names.ts';

/** Registry in DynamoDB. Times come from the callers; the clock only says what has expired. */
export function dynamodbRegistry(table: DynamoTable, clock: () => number): Registry {
  return {
    ...dynamodbIdentities(table),
    ...dynamodbAgents(table),
    ...dynamodbBatchLedger(table, clock),
    ...dynamodbSettings(table),
  };
}

function dynamodbSettings(table: DynamoTable): Settings {
  return {
    async setting(key) {
      const item = await table.get(settingKey(key));
      return item && text(item, 'value');
    },
    async putSetting(key, value) {
      await table.put(settingKey(key), { value });
    },
    async nextCount(key) {
      // A repeat by the SDK after a lost answer skips a number; none is given twice.
      const outcome = await table.update(counterKey(key), { update: 'ADD #value :one', values: { one: 1 } });
      if (!outcome.done) throw new Error(`counter ${key}: an unconditional change was refused`);
      return number(outcome.item, 'value');
    },
  };
}
