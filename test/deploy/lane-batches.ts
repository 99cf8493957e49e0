import { randomBytes } from 'node:crypto';
import { batchOf } from '../pipeline/fixtures.ts';
import { SERVICE } from './lane-hub.ts';

const WINDOW_MS = 10_000;

export interface SentBatch {
  bytes: Uint8Array;
  samples: number;
  batchId: string;
}

/** Makes batches of one agent, each with a sequence of its own, and counts the samples that are in them. */
export class BatchMaker {
  readonly #cluster: string;
  readonly #service: string;
  #sequence = 0;
  /** In all batches so far. */
  samples = 0;

  /** @param service each has an agent of its own */
  constructor(cluster: string, service = SERVICE) {
    this.#cluster = cluster;
    this.#service = service;
  }

  /**
   * With a few stacks; the value of a sample is 1, so that totals are samples.
   * @param start of its window, ms since epoch
   */
  next(start?: number): SentBatch {
    const [a, b] = [1 + (this.#sequence % 7), 2];
    return this.#make({ 'main;serve;parse': a, 'main;serve;render': b }, a + b, start);
  }

  /** One that is not counted, since it is not to arrive. */
  sample(): Uint8Array {
    const { bytes, samples } = this.next();
    this.samples -= samples;
    return bytes;
  }

  /** With names that no codec makes small, so that it does not fit into a message of the queue. */
  large(bytes: number): SentBatch {
    const names = Array.from({ length: Math.ceil(bytes / 300) }, () => randomBytes(300).toString('base64'));
    const stacks = Object.fromEntries(names.map((name) => [`main;${name}`, 1]));
    return this.#make(stacks, names.length);
  }

  #make(stacks: Record<string, number>, samples: number, start = aMinuteAgo()): SentBatch {
    const sequence = this.#sequence++;
    const [cluster, service, node] = [this.#cluster, this.#service, `node-of-${this.#service}`];
    const origin = { cluster, node, bootId: 'lane', sequence };
    const times = { firstWindow: start, lastWindow: start + WINDOW_MS };
    const bytes = batchOf(sequence, [{ service, start, stacks, samples }], { ...origin, ...times });
    this.samples += samples;
    return { bytes, samples, batchId: `${cluster}/${node}/lane/${sequence}` };
  }
}

function aMinuteAgo(): number {
  return Math.floor(Date.now() / WINDOW_MS) * WINDOW_MS - 6 * WINDOW_MS;
}
