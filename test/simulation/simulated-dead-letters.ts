import { unpackBatchIds } from '../../core/block/batch-runs.ts';
import { DEFAULT_MAX_RECEIVES, MAX_RECEIVE } from '../../storage/batch-queue.ts';
import { DAY_MS } from './expected-sums.ts';
import { despiteFaults } from './simulated-hub.ts';
import type { YearState } from './year-state.ts';

// A processor that dies again and again over the same batches wears their messages out. What is dead by accident goes back to
// the queue within the hour; some letters lie for days, until somebody looks, and their days are sealed meanwhile.

const LETTERS_MAX = 10;
const DAYS_MAX = 10;

interface Lying {
  readonly until: number;
  /** Message id → batch id. */
  readonly letters: Map<string, string>;
  /** Batches that came by no other message. */
  readonly withheld: Set<string>;
}

export class SimulatedDeadLetters {
  readonly #state: YearState;
  readonly #lying: Lying[] = [];

  constructor(state: YearState) {
    this.#state = state;
  }

  /**
   * All that is on the queue is received until it is dead; some of what came just now is left to lie.
   * @param comesAgain whether an agent may still send a batch
   */
  async wearOut(comesAgain: (batchId: string) => boolean): Promise<void> {
    const { hub, sums, figures, random } = this.#state;
    const { queue } = hub.sound;
    for (let i = 0; i < DEFAULT_MAX_RECEIVES; i++) {
      await queue.receive({ max: MAX_RECEIVE, visibilityMs: 1 });
      hub.now += 2;
    }
    const lying: Lying = {
      until: hub.now + (1 + random() * (DAYS_MAX - 1)) * DAY_MS,
      letters: new Map(),
      withheld: new Set(),
    };
    const stored = await this.#storedBatches();
    for (const { id, message } of await queue.deadLetters(MAX_RECEIVE)) {
      const { batchId } = message;
      if (this.isLying(id)) continue;
      if (lying.letters.size >= LETTERS_MAX && !lying.withheld.has(batchId)) continue;
      if (!stored.has(batchId) && comesAgain(batchId)) continue;
      lying.letters.set(id, batchId);
      if (!stored.has(batchId)) lying.withheld.add(batchId);
    }
    for (const batchId of lying.withheld) sums.withhold(batchId, true);
    figures.event('repeated batches lay dead for days', lying.letters.size - lying.withheld.size);
    this.#lying.push(lying);
    figures.event('batches lay dead for days', lying.withheld.size);
  }

  /** Ids of all batches in blocks that can be of what is on the queue. */
  async #storedBatches(): Promise<ReadonlySet<string>> {
    const { hub } = this.#state;
    const from = hub.now - 6 * DAY_MS;
    const rows = await hub.sound.catalog.find({ tenant: hub.sound.tenant, from, until: hub.now + DAY_MS });
    return new Set(rows.flatMap(({ batchIds }) => unpackBatchIds(batchIds)));
  }

  isLying(id: string): boolean {
    return this.#lying.some(({ letters }) => letters.has(id));
  }

  /** Whether a batch is among them, and nowhere else. */
  holds(batchId: string): boolean {
    return this.#lying.some(({ withheld }) => withheld.has(batchId));
  }

  get count(): number {
    return this.#lying.reduce((sum, { letters }) => sum + letters.size, 0);
  }

  /** What is dead by accident goes back, and what has lain for long enough. */
  async putBack(isAll = false): Promise<void> {
    const { hub, sums } = this.#state;
    for (let i = this.#lying.length - 1; i >= 0; i--) {
      const { until, withheld } = this.#lying[i]!;
      if (until > hub.now && !isAll) continue;
      for (const batchId of withheld) sums.withhold(batchId, false);
      this.#lying.splice(i, 1);
    }
    const { queue } = hub.process;
    const dead = await hub.sound.queue.deadLetters(MAX_RECEIVE);
    const ids = dead.map(({ id }) => id).filter((id) => !this.isLying(id));
    if (ids.length > 0) await despiteFaults(() => queue.redrive(ids));
  }
}
