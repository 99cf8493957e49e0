import type { Clock } from '../clock.ts';
import type { Log } from '../engine/engine.ts';
import { type HubClock, skewInWords } from '../hub-clock.ts';
import type { Spool, SpooledBatch } from '../spool/spool.ts';
import { Backoff, retryAfterMs } from './backoff.ts';
import { CredentialsError } from './credentials.ts';
import type { HttpAnswer } from './http-transport.ts';
import type { HubClient } from './hub-client.ts';
import { isAcknowledgement, type ReadAnswer, readAnswer } from './read-answer.ts';

export const BATCH_CONTENT_TYPE = 'application/vnd.cinderblock.batch';

/** Waits after failures that may pass soon, and after refusals that a person has to mend. */
const RETRY = { baseMs: 1_000, maxMs: 30_000 };
const UNAUTHORIZED = { baseMs: 15_000, maxMs: 300_000 };
/** Roles change seldom, and an agent that AWS does not let in is not to ask all the time. */
const UNAUTHORIZED_ROLE = { baseMs: 300_000, maxMs: 300_000 };
/** A refusal in words that are not a hub's is believed when it came this often for the same batch. */
const FOREIGN_REFUSALS_MAX = 5;
/** A correction of the clock by more than this may be all that a signature lacked. */
const SKEW_MATTERS_MS = 60_000;
const SAY_AGAIN_EVERY = 20;

export interface UploaderOptions {
  readonly spool: Pick<Spool, 'peek' | 'acknowledge' | 'reject' | 'expire' | 'batches'>;
  readonly client: Pick<HubClient, 'post' | 'refreshCredentials'>;
  readonly clock: Clock;
  readonly hubClock: HubClock;
  readonly random: () => number;
  readonly log: Log;
  /** Batches of many nodes are made at the same moment; each waits up to this long before it is sent, ms. */
  readonly jitterMs: number;
}

/**
 * Sends spooled batches to the hub, oldest first and one at a time, until there are none. Delivery is at least once: a
 * batch leaves the spool when the hub says that it is durable there, and the hub knows a batch that comes twice.
 */
export class Uploader {
  readonly #options: UploaderOptions;
  readonly #retry: Backoff;
  readonly #unauthorized: Backoff;
  readonly #unauthorizedRole: Backoff;
  #hasRefreshed = false;
  #foreignRefusals = { ordinal: 0, count: 0 };
  #wake = new AbortController();
  /** Why nothing goes through at the moment, in words. */
  lastError: string | undefined;
  /** Since the start. */
  readonly counters = { uploadedBatches: 0, uploadedBytes: 0, failedUploads: 0 };

  constructor(options: UploaderOptions) {
    this.#options = options;
    this.#retry = new Backoff({ ...RETRY, random: options.random });
    this.#unauthorized = new Backoff({ ...UNAUTHORIZED, random: options.random });
    this.#unauthorizedRole = new Backoff({ ...UNAUTHORIZED_ROLE, random: options.random });
  }

  /** A batch was spooled: sends it soon, unless a wait after a failure is on. */
  notify(): void {
    const failures = this.#retry.failures + this.#unauthorized.failures + this.#unauthorizedRole.failures;
    if (failures === 0) this.#wake.abort();
  }

  /** Works until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, jitterMs, random, spool } = this.#options;
    while (!signal.aborted) {
      // Before the step: a batch that comes while it runs must not be slept over.
      const wake = new AbortController();
      this.#wake = wake;
      const waitMs = await this.step(signal);
      if (signal.aborted) return;
      if (waitMs === 0) continue;
      await clock.sleep(waitMs, AbortSignal.any([signal, wake.signal]));
      if (wake.signal.aborted && spool.batches < 2) await clock.sleep(jitterMs * random(), signal);
    }
  }

  /**
   * Sends the oldest batch, if there is one.
   * @returns how long to wait before the next step, ms; 0 when there is more to send
   */
  async step(signal?: AbortSignal): Promise<number> {
    const { spool, hubClock } = this.#options;
    // A batch is too old when the hub would not take it any more; only the hub's clock can tell.
    if (hubClock.isConfirmed) spool.expire(hubClock.now());
    const batch = spool.peek();
    if (batch === undefined) return IDLE_MS;
    const skewBefore = hubClock.skewMs;
    let answer: HttpAnswer;
    try {
      answer = await this.#options.client.post('batches', BATCH_CONTENT_TYPE, batch.payload, signal);
    } catch (error) {
      if (signal?.aborted) return 0;
      if (error instanceof CredentialsError) return this.#failed(this.#unauthorized, error.message, 0);
      return this.#failed(this.#retry, `the hub cannot be reached: ${describe(error)}`, 0);
    }
    return this.#act(batch, answer, Math.abs(hubClock.skewMs - skewBefore));
  }

  #act(batch: SpooledBatch, answer: HttpAnswer, correctedMs: number): number {
    const read = readAnswer(answer);
    const { header } = batch;
    const askedMs = retryAfterMs(answer.headers['retry-after'], this.#options.hubClock.now());
    switch (read.verdict) {
      case 'stored':
        if (isAcknowledgement(answer)) return this.#acknowledged(batch);
        return this.#failed(this.#retry, `something that is not a hub answered ${read.reason}`, askedMs);
      case 'refused':
        return this.#refused(header.ordinal, read);
      case 'unauthorized':
        if (correctedMs > SKEW_MATTERS_MS && this.#unauthorized.failures === 0) {
          this.#failed(this.#unauthorized, `${this.#skew()}; that is corrected for from now on`, 0);
          return 0;
        }
        return this.#notLetIn(answer.status, read.reason, askedMs);
      case 'retry':
        return this.#failed(this.#retry, `the hub cannot take batches now (${read.reason})`, askedMs);
    }
  }

  /** Temporary credentials may have been revoked, or their role changed: fresh ones are tried once, at once. */
  #notLetIn(status: number, reason: string, askedMs: number): number {
    const message = `the hub does not let this agent in (${reason}); ${this.#skew()}`;
    const isRole = status !== 404 && this.#options.client.refreshCredentials();
    if (!isRole) return this.#failed(this.#unauthorized, message, askedMs);
    if (this.#hasRefreshed) return this.#failed(this.#unauthorizedRole, message, askedMs);
    this.#hasRefreshed = true;
    this.#failed(this.#retry, `${message}; trying with fresh credentials`, 0);
    return 0;
  }

  #acknowledged({ header, payload }: SpooledBatch): number {
    const { spool, log } = this.#options;
    spool.acknowledge(header.ordinal);
    this.counters.uploadedBatches++;
    this.counters.uploadedBytes += payload.length;
    this.#retry.succeed();
    this.#unauthorized.succeed();
    this.#unauthorizedRole.succeed();
    this.#hasRefreshed = false;
    if (this.lastError !== undefined) log('info', `batches go through again; ${spool.batches} wait`);
    this.lastError = undefined;
    return 0;
  }

  /** One batch that the hub will never take must not stand in the way of all others. */
  #refused(ordinal: number, { isFromHub, reason }: ReadAnswer): number {
    if (!isFromHub) {
      const count = this.#foreignRefusals.ordinal === ordinal ? this.#foreignRefusals.count + 1 : 1;
      this.#foreignRefusals = { ordinal, count };
      if (count < FOREIGN_REFUSALS_MAX) {
        return this.#failed(this.#retry, `something between here and the hub refused a batch (${reason})`, 0);
      }
    }
    this.#options.spool.reject(ordinal, reason);
    this.#retry.succeed();
    this.lastError = `the hub refused a batch for good: ${reason}`;
    this.#options.log('error', `${this.lastError}; it is set aside in the spool's folder "rejected"`);
    return 0;
  }

  #failed(backoff: Backoff, message: string, askedMs: number): number {
    this.counters.failedUploads++;
    const waitMs = Math.max(backoff.fail(), askedMs);
    if (backoff.failures % SAY_AGAIN_EVERY === 1 || this.lastError === undefined) {
      this.#options.log(
        'warn',
        `${message}; ${this.#options.spool.batches} batches wait on disk, next try in ${Math.ceil(waitMs / 1000)} s`,
      );
    }
    this.lastError = message;
    return waitMs;
  }

  #skew(): string {
    return `the clock of this node is ${skewInWords(this.#options.hubClock.skewMs)}`;
  }
}

/** With nothing to send, the spool is looked at this often; a new batch wakes earlier. */
const IDLE_MS = 60_000;

function describe(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string };
  return message || code || String(error);
}
