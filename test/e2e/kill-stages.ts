import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { compactBlocks, deleteMarkedBlocks } from '../../pipeline/compact-blocks.ts';
import { deleteProfiles } from '../../pipeline/delete-profiles.ts';
import { defaultHubSettings, type Hub, type HubSettings } from '../../pipeline/hub.ts';
import { quarantineBlock } from '../../pipeline/quarantine-blocks.ts';
import { setRetention } from '../../pipeline/retention-policies.ts';
import { SETTLE_MS } from '../../pipeline/tombstone-store.ts';
import type { BlockRow } from '../../storage/block-catalog.ts';
import { randomFrom } from '../core/block/fixtures.ts';
import { publishRows, randomBatch, type WindowRow } from '../pipeline/fleet-history.ts';
import { type HubAt, openHubAt } from './hub-at.ts';

// Data folders in each stage of their blocks' lives, made once, and copied for each process that is killed on one.

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
/** Start of a day, with the next one in the same range of 32 days. */
export const START = 1_700_006_400_000;
/** 84 h after the end of the second day, and some hours. */
const SEALED = START + 6 * DAY;
const JOINED = START + 20 * DAY;

/** What stages of deletion delete: hours, and the middle of one. */
export const DELETED = {
  selector: '{service_name="shop"}',
  start: START,
  end: START + 90 * 60_000,
  reason: 'test',
};

/** A folder, what is in it, and when. */
export interface Stage {
  readonly folder: string;
  readonly now: number;
  readonly rows: readonly WindowRow[];
  /** Of whoever works on it; default the usual ones. */
  readonly settings?: Partial<HubSettings>;
}

/** An hour of these stages is more than a job takes. */
const SMALL_JOBS: Partial<HubSettings> = { compaction: { ...defaultHubSettings.compaction, bytesMax: 400 } };

export function isDeleted({ service, start }: WindowRow): boolean {
  return service === 'shop' && start >= DELETED.start && start < DELETED.end;
}

/** The first block whose batches no other one holds. */
export async function loneBlock(hub: Hub): Promise<BlockRow> {
  const rows = await hub.catalog.find({ tenant: hub.tenant, from: START, until: START + HOUR });
  const isShared = (row: BlockRow) =>
    rows.some((other) => other !== row && other.batchIds.some((id) => row.batchIds.includes(id)));
  return rows.find((row) => !isShared(row))!;
}

/** Makes stages one of another below a folder. */
export class Stages {
  readonly #below: string;
  readonly #random: () => number;

  constructor(below: string, seed: number) {
    this.#below = below;
    this.#random = randomFrom(seed);
  }

  /** An hour that is over, of four blocks, two of which hold the same batch. */
  fresh(): Promise<Stage> {
    const empty = { folder: join(this.#below, 'empty'), now: START + HOUR, rows: [] };
    return this.#next('fresh', empty, START + 2 * HOUR, async (hub, rows) => {
      for (let i = 0; i < 4; i++) await this.#publish(hub, rows, START, START + HOUR);
      await publishRows(
        hub,
        rows.filter(({ batch }) => batch === rows.at(-1)!.batch),
      );
    });
  }

  /** The same, and more than a job takes. */
  large(fresh: Stage): Stage {
    return { ...fresh, settings: SMALL_JOBS };
  }

  /** The same with one block in quarantine. */
  aside(fresh: Stage): Promise<Stage> {
    return this.#next('aside', fresh, fresh.now, async (hub, rows) => {
      const { blockId, batchIds } = await loneBlock(hub);
      await quarantineBlock(hub, { blockId, reason: 'test', dryRun: false });
      rows.splice(0, rows.length, ...rows.filter(({ batch }) => !batchIds.includes(batch)));
    });
  }

  /** The same, closed, and then a late batch, and one that came before. */
  late(fresh: Stage): Promise<Stage> {
    return this.#next('late', fresh, START + 4 * HOUR, async (hub, rows) => {
      await compactBlocks(hub);
      const again = rows.filter(({ batch }) => batch === rows[0]!.batch);
      await this.#publish(hub, rows, START, START + HOUR);
      await publishRows(hub, again);
    });
  }

  /** Hours of two days, some of them closed, now that they can be sealed. */
  unsealed(late: Stage): Promise<Stage> {
    return this.#next('unsealed', late, SEALED, async (hub, rows) => {
      for (const hour of [1, 2, 26, 27]) {
        const from = START + hour * HOUR;
        await this.#publish(hub, rows, from, from + HOUR);
        await this.#publish(hub, rows, from, from + HOUR);
      }
    });
  }

  sealed(unsealed: Stage): Promise<Stage> {
    return this.#next('sealed', unsealed, SEALED + HOUR, compactAll);
  }

  /** Sealed days of a range that is over. */
  unjoined(sealed: Stage): Promise<Stage> {
    return this.#next('unjoined', sealed, JOINED, async () => {});
  }

  joined(unjoined: Stage): Promise<Stage> {
    return this.#next('joined', unjoined, JOINED + HOUR, compactAll);
  }

  /** One service's raw windows are past their time, the other's are not. */
  expiring(sealed: Stage): Promise<Stage> {
    return this.#next('expiring', sealed, START + 9 * DAY, async (hub) => {
      const keepMs = { raw: 5 * DAY, fiveMinutes: 60 * DAY, hour: 90 * DAY };
      await setRetention(hub, [{ selector: '{service_name="shop"}', keepMs }]);
    });
  }

  /** A part of it is deleted, and still in blocks. */
  deleted(name: string, before: Stage): Promise<Stage> {
    return this.#next(name, before, before.now + SETTLE_MS, async (hub, rows) => {
      await deleteProfiles(hub, DELETED);
      rows.splice(0, rows.length, ...rows.filter((row) => !isDeleted(row)));
    });
  }

  /** A copy to work on. */
  copy(stage: Stage, name: string): string {
    const folder = join(this.#below, name);
    cpSync(stage.folder, folder, { recursive: true });
    return folder;
  }

  async #next(
    name: string,
    before: Stage,
    now: number,
    work: (hub: HubAt, rows: WindowRow[]) => Promise<void>,
  ): Promise<Stage> {
    const folder = before.rows.length === 0 ? before.folder : this.copy(before, name);
    const rows = [...before.rows];
    const hub = await openHubAt(folder, before.now);
    await work(hub, rows);
    await hub.close();
    return { folder, now, rows };
  }

  async #publish(hub: HubAt, rows: WindowRow[], from: number, until: number): Promise<void> {
    const batch = randomBatch(this.#random, from, until - 60_000);
    rows.push(...batch);
    await publishRows(hub, batch);
  }
}

async function compactAll(hub: HubAt): Promise<void> {
  while ((await compactBlocks(hub, 'all')).jobs > 0);
  hub.time.now += HOUR;
  await deleteMarkedBlocks(hub);
}
