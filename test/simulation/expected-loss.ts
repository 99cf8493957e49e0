import { HOUR_MS } from './expected-sums.ts';

// What the audit must say, kept apart from all of its code: the batches that agents made, and which of them the hub has in its ledger.

/** What an agent counted, and says, of one batch. */
export interface MadeBatch {
  readonly cluster: string;
  readonly node: string;
  readonly bootId: string;
  readonly sequence: number;
  readonly taken: number;
  readonly lost: number;
  readonly dropped: number;
  readonly kept: number;
  readonly firstWindow: number;
}

/** Of one cluster and hour. */
export interface ExpectedLossHour {
  taken: number;
  lostByKernel: number;
  droppedByAgent: number;
  stored: number;
  missingBatches: number;
  duplicateBatches: number;
}

interface Boot {
  readonly made: { readonly batch: MadeBatch; recorded: number }[];
}

/** A boot that was silent for longer is forgotten: what is missing between is not counted. */
const MEMORY_MS = 73 * HOUR_MS;

export class ExpectedLoss {
  readonly #boots = new Map<string, Boot>();

  /** In the order of their sequence numbers. */
  made(batch: MadeBatch): void {
    const key = bootOf(batch);
    const boot = this.#boots.get(key) ?? { made: [] };
    this.#boots.set(key, boot);
    boot.made.push({ batch, recorded: 0 });
  }

  /** The ledger has it, perhaps once more. */
  recorded(record: Pick<MadeBatch, 'cluster' | 'node' | 'bootId' | 'sequence'>): void {
    const found = this.#boots
      .get(bootOf(record))
      ?.made.find(({ batch }) => batch.sequence === record.sequence);
    if (found === undefined) throw new Error(`nobody made batch ${record.sequence} of ${bootOf(record)}`);
    found.recorded++;
  }

  /** By cluster and start of the hour, `cluster hour`, of hours within [start, end). Those in which nothing came are absent. */
  hours(start: number, end: number): Map<string, ExpectedLossHour> {
    const hours = new Map<string, ExpectedLossHour>();
    for (const { made } of this.#boots.values()) {
      let missing = 0;
      let before: MadeBatch | undefined;
      for (const { batch, recorded } of made) {
        if (recorded === 0) {
          missing++;
          continue;
        }
        const isKnown = before !== undefined && hourOf(batch) - hourOf(before) < MEMORY_MS;
        if (batch.firstWindow >= start && batch.firstWindow < end)
          addBatch(hours, batch, recorded, isKnown ? missing : 0);
        missing = 0;
        before = batch;
      }
    }
    return hours;
  }

  /** Forgets boots whose batches are all of windows before `before`, ms. */
  forget(before: number): void {
    for (const [key, { made }] of this.#boots)
      if (made.every(({ batch }) => batch.firstWindow < before)) this.#boots.delete(key);
      else
        while (made.length > 2 && made[1]!.batch.firstWindow < before && made[1]!.recorded > 0) made.shift();
  }
}

function addBatch(
  hours: Map<string, ExpectedLossHour>,
  batch: MadeBatch,
  recorded: number,
  missing: number,
): void {
  const key = `${batch.cluster} ${hourOf(batch)}`;
  const none = {
    taken: 0,
    lostByKernel: 0,
    droppedByAgent: 0,
    stored: 0,
    missingBatches: 0,
    duplicateBatches: 0,
  };
  const hour = hours.get(key) ?? none;
  hours.set(key, hour);
  hour.taken += batch.taken;
  hour.lostByKernel += batch.lost;
  hour.droppedByAgent += batch.dropped;
  hour.stored += batch.kept;
  hour.missingBatches += missing;
  hour.duplicateBatches += recorded - 1;
}

function hourOf({ firstWindow }: MadeBatch): number {
  return Math.floor(firstWindow / HOUR_MS) * HOUR_MS;
}

function bootOf({ cluster, node, bootId }: Pick<MadeBatch, 'cluster' | 'node' | 'bootId'>): string {
  return `${cluster}/${node}/${bootId}`;
}
