import { newBlockId } from '../core/block/block-id.ts';
import { RetryableError } from '../core/errors.ts';
import type { Hub } from './hub.ts';

/** How long a lease holds without being renewed, ms. */
export const LEASE_MS = 600_000;

/** Somebody else may work on the group by now: stop, and publish nothing. */
export class LeaseLostError extends Error {
  override name = 'LeaseLostError';
}

/** The right to work on a group of blocks alone, kept alive while work goes on. */
export class GroupLease {
  readonly #hub: Hub;
  readonly #name: string;
  readonly #owner: string;
  readonly #token: number;
  #renewedAt: number;

  private constructor(hub: Hub, name: string, owner: string, token: number) {
    this.#hub = hub;
    this.#name = name;
    this.#owner = owner;
    this.#token = token;
    this.#renewedAt = hub.clock();
  }

  /** Undefined while somebody else has it. */
  static async acquire(hub: Hub, name: string): Promise<GroupLease | undefined> {
    const owner = newBlockId(hub.clock(), () => hub.random());
    const lease = await hub.leases.acquire(name, owner, LEASE_MS);
    return lease && new GroupLease(hub, name, owner, lease.token);
  }

  /** Renews it when a third of its time is over. @throws LeaseLostError */
  async keep(): Promise<void> {
    if (this.#hub.clock() - this.#renewedAt >= LEASE_MS / 3) await this.confirm();
  }

  /** Renews it. @throws LeaseLostError */
  async confirm(): Promise<void> {
    if (!(await this.#hub.leases.renew(this.#name, this.#owner, this.#token, LEASE_MS)))
      throw new LeaseLostError(`the lease ${this.#name} lapsed`);
    this.#renewedAt = this.#hub.clock();
  }

  async release(): Promise<void> {
    await this.#hub.leases.release(this.#name, this.#owner, this.#token);
  }
}

/**
 * Does work of the tenant that one at a time should do: not since two would do harm, but since they would do it twice.
 * @throws RetryableError while somebody else does it
 */
export async function aloneAt<T>(hub: Hub, what: string, work: () => Promise<T>): Promise<T> {
  const lease = await GroupLease.acquire(hub, `${what}/${hub.tenant}`);
  if (lease === undefined) throw new RetryableError(`somebody else is at it: ${what} of ${hub.tenant}`);
  try {
    return await work();
  } finally {
    await lease.release();
  }
}
