import { SealedBatches } from '../core/batch/sealed-batches.ts';
import { familiesOf } from '../core/block/batch-table.ts';
import { MalformedInputError } from '../core/errors.ts';
import type { TimeSpan } from '../core/query/time-span.ts';
import type { BlockRow } from '../storage/block-catalog.ts';
import { parseSealedKey, type SealedName, sealedKey, sealedPrefix } from '../storage/names.ts';
import { eachObject } from './each-object.ts';
import type { Hub } from './hub.ts';

// A sealed day's blocks name no batches any more. What names them lies beside, one object for each family, under the
// day in which the batches begin: whoever stores or seals what comes late looks there for repetitions. An object whose
// family is not in the catalog says nothing: a crash may have left it before the family was swapped in.

const DAY_MS = 24 * 3_600_000;

/** Clocks of hosts differ: a day may be sealed so much earlier than it should be by ours, ms. */
const CLOCKS_DIFFER_MS = 900_000;

/** Tells which services' rows of a batch are stored in sealed blocks; undefined when none are. */
export type StoredElsewhere = (batchId: string) => ReadonlySet<string> | undefined;

/** Whether blocks of batches that begin at this time may be sealed by now. */
export function mayBeSealed(hub: Hub, minTime: number): boolean {
  return (
    hub.clock() >= (dayOf(minTime) + 1) * DAY_MS + hub.settings.compaction.sealAfterMs - CLOCKS_DIFFER_MS
  );
}

/**
 * Stores which batches a seal merged, once for each family that came of it: before these are swapped in.
 * @param inputs blocks that were merged, one at least
 * @param outputs what they were merged into, and its versions
 */
export async function keepSealedBatches(
  hub: Hub,
  inputs: readonly BlockRow[],
  outputs: readonly BlockRow[],
  sealed: SealedBatches,
): Promise<void> {
  const day = dayOf(Math.min(...inputs.map(({ minTime }) => minTime)));
  const bytes = sealed.encode(hub.codec);
  for (const { tenant, blockId, resolutionSeconds } of outputs) {
    if (resolutionSeconds === 0) await hub.objects.put(sealedKey({ tenant, day, family: blockId }), bytes);
  }
}

/** Reads what names the batches of sealed families, each object once: for one round of work. */
export class SealedDays {
  readonly #hub: Hub;
  readonly #names = new Map<number, Promise<SealedName[]>>();
  readonly #opened = new Map<string, Promise<SealedBatches | undefined>>();

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  /**
   * What sealed blocks hold of batches that begin in one day; undefined when that is nothing. All blocks that hold a batch
   * belong to that day.
   * @param span of their windows; what is after the day's end plays no part
   * @throws RetryableError
   */
  async storedElsewhere({ start, end }: TimeSpan): Promise<StoredElsewhere | undefined> {
    // What has no rows has no time.
    if (start >= end) return undefined;
    const day = dayOf(start);
    const names = await this.#namesOf(day);
    if (names.length === 0) return undefined;
    // What lies aside counts again once it is put back.
    const range = { start, end: Math.min(end, (day + 1) * DAY_MS) };
    const known = await familiesWithin(this.#hub, range);
    const opened = await Promise.all(
      names.filter(({ family }) => known.has(family)).map((name) => this.#open(name)),
    );
    const sealed = opened.filter((one) => one !== undefined);
    return sealed.length === 0 ? undefined : (batchId) => servicesOf(sealed, batchId);
  }

  #namesOf(day: number): Promise<SealedName[]> {
    let names = this.#names.get(day);
    if (names === undefined) this.#names.set(day, (names = namesBelow(this.#hub, day)));
    return names;
  }

  #open(name: SealedName): Promise<SealedBatches | undefined> {
    const key = sealedKey(name);
    let opened = this.#opened.get(key);
    if (opened === undefined) this.#opened.set(key, (opened = openSealed(this.#hub, key)));
    return opened;
  }
}

/** Ids of all families that have a block, of whatever resolution, in a day; those that lie aside among them. */
export function familiesOfDay(hub: Hub, day: number): Promise<Set<string>> {
  return familiesWithin(hub, { start: day * DAY_MS, end: (day + 1) * DAY_MS });
}

async function familiesWithin(hub: Hub, { start, end }: TimeSpan): Promise<Set<string>> {
  const rows = await hub.catalog.find({ tenant: hub.tenant, from: start, until: end, withAside: true });
  return new Set(
    rows.flatMap(({ blockId, batchIds }) => {
      const families = familiesOf(batchIds);
      return families.length === 0 ? [blockId] : families;
    }),
  );
}

function servicesOf(sealed: readonly SealedBatches[], batchId: string): ReadonlySet<string> | undefined {
  const found = sealed.map((one) => one.servicesOf(batchId)).filter((services) => services !== undefined);
  return found.length < 2 ? found[0] : new Set(found.flatMap((services) => [...services]));
}

async function namesBelow(hub: Hub, day: number): Promise<SealedName[]> {
  const names: SealedName[] = [];
  for await (const { key } of eachObject(hub, sealedPrefix(hub.tenant, day))) {
    const name = parseSealedKey(key);
    if (name !== undefined) names.push(name);
  }
  return names;
}

/** Undefined when it was deleted meanwhile, or is damaged: what comes is stored then, since nothing lost weighs more. */
async function openSealed(hub: Hub, key: string): Promise<SealedBatches | undefined> {
  const bytes = await hub.objects.get(key);
  if (bytes === undefined) return undefined;
  try {
    return SealedBatches.decode(bytes, hub.codec);
  } catch (error) {
    if (!(error instanceof MalformedInputError)) throw error;
    hub.telemetry.count('sealed_batches_damaged_total', 1);
    hub.telemetry.log(
      'error',
      `${key} is damaged, repetitions of its batches are counted twice: ${error.message}`,
    );
    return undefined;
  }
}

function dayOf(timeMs: number): number {
  return Math.floor(timeMs / DAY_MS);
}
