import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { number, text } from '../../storage/aws/attribute-values.ts';
import { dynamoTable } from '../../storage/aws/dynamodb-table.ts';
import { blockKey, MARK_SHARDS, marksPartition, padded } from '../../storage/aws/names.ts';

/**
 * Makes every deletion mark older by so many ms, as if time had passed: blocks that were merged away stay readable for
 * longer than a test waits.
 * @returns ids of the marked blocks
 */
export async function ageMarks(tableName: string, byMs: number): Promise<string[]> {
  const table = dynamoTable(new DynamoDBClient({}), tableName);
  const ids: string[] = [];
  for (let shard = 0; shard < MARK_SHARDS; shard++) {
    const pk = marksPartition(shard);
    for await (const list of table.query(pk)) {
      const [sk, blocks] = [text(list, 'sk'), text(list, 'blocks')];
      const markedAt = number(list, 'markedAt') - byMs;
      const aged = sk.replace(/^\d+/, padded(markedAt));
      await table.put({ pk, sk: aged }, { markedAt, blocks });
      await table.delete({ pk, sk });
      for (const [id] of JSON.parse(blocks)) {
        await table.update(blockKey(id), { update: 'SET #markedBy = :list', values: { list: aged } });
        ids.push(id);
      }
    }
  }
  return ids;
}
