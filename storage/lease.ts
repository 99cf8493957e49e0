/** Proof of a lease. */
export interface Lease {
  /**
   * Fencing token: strictly greater than that of every lease of this name before. Who writes under a lease passes it on,
   * so that what a former holder writes late can be told apart.
   */
  token: number;
}

/**
 * One owner at a time per name, for a limited time. `owner` names one run of one process: a process that starts again
 * is another owner. A lease holds for [now, now + ttlMs) by the store's clock, and lapses by itself.
 *
 * Every method throws RejectedError('invalid') for an empty name or owner or a `ttlMs` that is not a positive integer,
 * and RetryableError when the storage below does not answer.
 */
export interface LeaseStore {
  /** A lease, or undefined while one of that name holds, whoever its owner is. */
  acquire(name: string, owner: string, ttlMs: number): Promise<Lease | undefined>;

  /** Lets the lease hold until now + ttlMs. False when it lapsed, was released, or is another's: then stop working. */
  renew(name: string, owner: string, token: number, ttlMs: number): Promise<boolean>;

  /** Ends the lease. False, without effect, when it lapsed, was released before, or is another's. */
  release(name: string, owner: string, token: number): Promise<boolean>;
}
