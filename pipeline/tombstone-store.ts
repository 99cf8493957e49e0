import { RejectedError, RetryableError } from '../core/errors.ts';
import { TOMBSTONES_MAX, type Tombstone, Tombstones } from '../core/retention/tombstone.ts';
import type { Hub } from './hub.ts';
import { changeSharedSetting, readSharedSetting } from './shared-setting.ts';

/** What a deletion took out of blocks so far. At least: a crash right after a rewrite may lose its counts. */
export interface DeletionCounts {
  readonly blocks: number;
  readonly rows: number;
  readonly samples: number;
}

/** A deletion as it is kept. While it is in force every query and merge obeys it; afterwards it is the record of it. */
export interface Deletion extends Tombstone {
  readonly deleted: DeletionCounts;
  /** When it left force: no block holds, and no batch can bring, what it deletes. Absent = in force. */
  readonly doneAt?: number;
}

const SETTING = 'tombstones';
const VERSION = 1;

/** How many deletions that are done are kept as a record. */
const DONE_KEPT_MAX = 200;

/** How far clocks may be apart, and a reader of tombstones behind their writer, ms. */
export const SETTLE_MS = 600_000;

const CHANGE_ATTEMPTS = 5;

/** All deletions, the newest first. */
export async function readDeletions(hub: Hub): Promise<Deletion[]> {
  return (await readSharedSetting<Deletion[]>(hub, SETTING, VERSION)) ?? [];
}

/** Tombstones in force. */
export async function loadTombstones(hub: Hub): Promise<Tombstones> {
  const deletions = await readDeletions(hub);
  return Tombstones.of(
    deletions.filter(({ doneAt }) => doneAt === undefined),
    hub.compileRegex,
  );
}

/** @throws RejectedError('too-large') when too many are in force; RetryableError while somebody else changes them */
export async function addDeletion(hub: Hub, tombstone: Tombstone): Promise<void> {
  await changeDeletions(hub, (deletions) => {
    const inForce = deletions.filter(({ doneAt }) => doneAt === undefined).length;
    if (inForce >= TOMBSTONES_MAX) {
      throw new RejectedError(
        'too-large',
        `${inForce} deletions are in force, the limit is ${TOMBSTONES_MAX}: delete more with one selector, or wait until some are done`,
      );
    }
    return [{ ...tombstone, deleted: { blocks: 0, rows: 0, samples: 0 } }, ...deletions];
  });
}

/** Adds what a rewrite took out to the records. Where that fails, the counts stay lower, and the deletion is done all the same. */
export async function countDeleted(
  hub: Hub,
  counts: ReadonlyMap<string, { rows: number; samples: number }>,
): Promise<void> {
  if (counts.size === 0) return;
  const add = (deletion: Deletion): Deletion => {
    const more = counts.get(deletion.id);
    if (more === undefined) return deletion;
    const { blocks, rows, samples } = deletion.deleted;
    return {
      ...deletion,
      deleted: { blocks: blocks + 1, rows: rows + more.rows, samples: samples + more.samples },
    };
  };
  try {
    await changeDeletions(hub, (deletions) => deletions.map(add));
  } catch (error) {
    if (!(error instanceof RetryableError)) throw error;
    hub.telemetry.log('warn', `what a rewrite deleted is not counted: ${error.message}`);
  }
}

/** Ends deletions that have nothing left to delete. */
export async function endDeletions(hub: Hub, ids: ReadonlySet<string>): Promise<void> {
  const doneAt = hub.clock();
  await changeDeletions(hub, (deletions) => {
    const ended = deletions.map((one) => (ids.has(one.id) ? { ...one, doneAt: one.doneAt ?? doneAt } : one));
    let done = 0;
    return ended.filter((one) => one.doneAt === undefined || ++done <= DONE_KEPT_MAX);
  });
}

/** Changes take two calls of storage, so who meets another one is soon let in. */
async function changeDeletions(hub: Hub, change: (deletions: Deletion[]) => Deletion[]): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await changeSharedSetting<Deletion[]>(hub, SETTING, VERSION, (deletions) => change(deletions ?? []));
      return;
    } catch (error) {
      if (!(error instanceof RetryableError) || attempt === CHANGE_ATTEMPTS) throw error;
    }
  }
}
