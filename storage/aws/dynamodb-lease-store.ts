import { RejectedError } from '../../core/errors.ts';
import type { LeaseStore } from '../lease.ts';
import { checkCount } from '../object-store.ts';
import { number, text } from './attribute-values.ts';
import { newNonce } from './digests.ts';
import type { DynamoTable } from './dynamodb-table.ts';
import { leaseKey } from './names.ts';

/**
 * LeaseStore in DynamoDB: one conditional write per call. An item stays when its lease ends, so that the token never goes
 * back. A lease holds while now < `until`, by the clock of whoever asks: keep terms long against the skew of clocks.
 */
export function dynamodbLeaseStore(table: DynamoTable, clock: () => number): LeaseStore {
  async function setUntil(name: string, owner: string, token: number, until: number): Promise<boolean> {
    const outcome = await table.update(leaseKey(name), {
      update: 'SET #until = :until',
      condition: '#owner = :owner AND #token = :token AND #until > :now',
      values: { until, owner, token, now: clock() },
    });
    return outcome.done;
  }
  return {
    async acquire(name, owner, ttlMs) {
      check(name, owner, ttlMs);
      const now = clock();
      const nonce = newNonce();
      const outcome = await table.update(leaseKey(name), {
        update:
          'SET #owner = :owner, #until = :until, #nonce = :nonce, #token = if_not_exists(#token, :none) + :one',
        condition: 'attribute_not_exists(pk) OR #until <= :now',
        values: { owner, until: now + ttlMs, nonce, none: 0, one: 1, now },
      });
      if (outcome.done) return { token: number(outcome.item, 'token') };
      // Held by this very call: it went through, its answer was lost, and the SDK made it again.
      const own = outcome.old !== undefined && text(outcome.old, 'nonce') === nonce;
      return own ? { token: number(outcome.old!, 'token') } : undefined;
    },
    async renew(name, owner, token, ttlMs) {
      check(name, owner, ttlMs);
      return setUntil(name, owner, token, clock() + ttlMs);
    },
    async release(name, owner, token) {
      check(name, owner, 1);
      return setUntil(name, owner, token, 0);
    },
  };
}

function check(name: string, owner: string, ttlMs: number): void {
  if (name === '' || owner === '') throw new RejectedError('invalid', 'a lease needs a name and an owner');
  checkCount('ttlMs of a lease', ttlMs);
}
