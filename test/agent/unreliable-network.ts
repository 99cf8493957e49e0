import type { HttpAnswer } from '../../agent/upload/http-transport.ts';
import { failureOf } from '../../api/error-response.ts';
import type { Hub } from '../../pipeline/hub.ts';
import { ingestBatch } from '../../pipeline/ingest-batch.ts';
import { wholeBetween } from './seeded-random.ts';
import type { VirtualClock } from './virtual-clock.ts';

/**
 * Between an agent and a hub: loses requests and answers, delivers twice, delivers late and out of order, delays, and
 * parts the two. A few batches are poison: the hub refuses them whenever they come.
 */
export class UnreliableNetwork {
  readonly #hub: Hub;
  readonly #random: () => number;
  readonly #clock: VirtualClock;
  readonly #late: { cluster: string; bytes: Uint8Array }[] = [];
  isParted = false;
  isReliable = false;
  poisonShare = 0;

  constructor(options: { hub: Hub; random: () => number; clock: VirtualClock }) {
    this.#hub = options.hub;
    this.#random = options.random;
    this.#clock = options.clock;
  }

  /** One request. Throws when no answer comes back. */
  async deliver(cluster: string, bytes: Uint8Array): Promise<HttpAnswer> {
    const chance = this.isReliable ? 1 : this.#random();
    if (this.isParted || chance < 0.08) throw new Error('connect ECONNREFUSED');
    this.#clock.skip(wholeBetween(this.#random, 1, chance < 0.15 ? 20_000 : 200));
    if (chance < 0.2) return reply(503, { code: 'unavailable', message: 'busy' }, { 'retry-after': '7' });
    const answer = await this.#ingest(cluster, bytes);
    if (chance < 0.26) this.#late.push({ cluster, bytes });
    if (chance < 0.34) throw new Error('socket hang up');
    if (chance < 0.38) return this.#ingest(cluster, bytes);
    return answer;
  }

  /** Copies that were held up arrive, in any order. */
  async deliverLate(): Promise<void> {
    while (this.#late.length > 0) {
      const [copy] = this.#late.splice(wholeBetween(this.#random, 0, this.#late.length), 1);
      await this.#ingest(copy!.cluster, copy!.bytes);
    }
  }

  async #ingest(cluster: string, bytes: Uint8Array): Promise<HttpAnswer> {
    if (isPoison(bytes, this.poisonShare)) return reply(400, { code: 'invalid_argument', message: 'poison' });
    try {
      return reply(202, await ingestBatch(this.#hub, { cluster, bytes }));
    } catch (error) {
      const { status, code, message, headers, isBug } = failureOf(error);
      if (isBug) throw error;
      return reply(status, { code, message }, headers);
    }
  }
}

/** By its content alone, so that every copy of it is poison. */
function isPoison(bytes: Uint8Array, share: number): boolean {
  let sum = 0;
  for (const byte of bytes) sum = (sum * 31 + byte) % 1009;
  return sum < share * 1009;
}

function reply(status: number, body: object, headers: Record<string, string> = {}): HttpAnswer {
  return { status, headers, body: JSON.stringify(body) };
}
