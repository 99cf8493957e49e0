import assert from 'node:assert/strict';
import { selectTree } from '../../pipeline/run-query.ts';
import { scrubBlocks } from '../../pipeline/scrub-blocks.ts';
import type { BlockRow } from '../../storage/block-catalog.ts';
import { MAX_CATALOG_PAGE } from '../../storage/block-catalog.ts';
import { blockKey } from '../../storage/names.ts';
import { checkTree, firstKeptDay } from './check-answers.ts';
import { sumsOfBlock } from './check-blocks.ts';
import { allKeptSince } from './expected-retention.ts';
import { DAY_MS, keyOf, type Sums } from './expected-sums.ts';
import { CPU } from './simulated-fleet.ts';
import type { YearState } from './year-state.ts';

// Now and then the object of a block vanishes, or a byte of it turns, and somebody puts it back from a copy half a day
// later. Meanwhile a scrub names it and nothing else, answers that need it say what they lack, and all others are whole.

interface Damage {
  readonly row: BlockRow;
  readonly key: string;
  readonly bytes: Uint8Array;
  readonly kind: 'missing' | 'corrupt';
}

export class SimulatedDamage {
  readonly #state: YearState;
  readonly #yearStart: number;
  #damage: Damage | undefined;

  constructor(state: YearState, yearStart: number) {
    this.#state = state;
    this.#yearStart = yearStart;
  }

  /** Some block is damaged: of whatever age, level and resolution. */
  async begin(): Promise<void> {
    const { hub, random, figures, damaged } = this.#state;
    const after = { minTime: this.#yearStart + random() * (hub.now - this.#yearStart), blockId: '' };
    const page = { tenant: hub.sound.tenant, after: { ...after, minTime: Math.floor(after.minTime) } };
    const rows = await hub.sound.catalog.list({ ...page, limit: MAX_CATALOG_PAGE });
    const row = rows[Math.floor(random() * Math.min(8, rows.length))];
    if (row === undefined) return;
    const key = blockKey(row.tenant, row.level, row.blockId);
    const bytes = hub.stored.get(key)!;
    // Before anything is damaged: what it holds.
    const held = await sumsOfBlock(hub.sound, row);
    const kind = random() < 0.5 ? 'missing' : 'corrupt';
    this.#damage = { row, key, bytes, kind };
    damaged.add(row.blockId);
    if (kind === 'missing') hub.stored.delete(key);
    else hub.stored.set(key, withTurnedByte(bytes, random));
    figures.event(kind === 'missing' ? 'objects of blocks vanished' : 'objects of blocks were damaged');
    await this.#checkScrub(row, kind);
    await this.#checkAnswers(row, held);
  }

  /** It is put back, unless it is out of the catalog by now. */
  async end(): Promise<void> {
    if (this.#damage === undefined) return;
    const { hub, damaged } = this.#state;
    const { row, key, bytes } = this.#damage;
    if ((await hub.sound.catalog.get(row.blockId)) !== undefined) hub.stored.set(key, bytes);
    damaged.delete(row.blockId);
    this.#damage = undefined;
  }

  async #checkScrub({ blockId }: BlockRow, kind: Damage['kind']): Promise<void> {
    const { hub, figures } = this.#state;
    const found: string[] = [];
    for (let isFinished = false; !isFinished; ) {
      const { damaged, finished, blocks } = await scrubBlocks(hub.sound);
      found.push(...damaged.map((one) => `${one.blockId} ${one.kind}`));
      figures.scrubbedBlocks += blocks;
      isFinished = finished;
    }
    assert.deepEqual(found, [`${blockId} ${kind}`], 'a scrub names what is damaged and nothing else');
  }

  /** Of the day in which it begins; of its own time, when it is raw; and of a day that it has nothing of. */
  async #checkAnswers(row: BlockRow, held: Sums): Promise<void> {
    const { figures, random, hub } = this.#state;
    const day = Math.floor(row.minTime / DAY_MS);
    for (const { service, minTime, maxTime } of row.datasets.slice(0, 3)) {
      if (firstKeptDay(this.#state, service, day) !== day) continue;
      const most = held.get(keyOf(service, CPU))?.value ?? 0n;
      await this.#checkAnswer(row, service, { start: day * DAY_MS, end: (day + 1) * DAY_MS }, most);
      // Edges that cut every step, so that nothing coarser answers where no raw window is past its time.
      const isRaw = row.resolutionSeconds === 0 && minTime > allKeptSince(0, hub.now);
      const isCut = isRaw && minTime % 300_000 !== 0 && most > 0n;
      if (isCut && (await this.#checkAnswer(row, service, { start: minTime, end: maxTime }, most)) > 0)
        figures.event('answers that said what they lacked');
    }
    const other = Math.floor(
      this.#yearStart / DAY_MS + random() * ((hub.now - this.#yearStart) / DAY_MS - 1),
    );
    const isApart = row.minTime >= (other + 1) * DAY_MS || row.maxTime <= other * DAY_MS;
    const { service } = row.datasets[0]!;
    if (isApart && other !== day)
      figures.compared += await checkTree(this.#state, service, other, other + 1, false);
  }

  /** Answers how many blocks it lacked. */
  async #checkAnswer(
    row: BlockRow,
    service: string,
    range: { start: number; end: number },
    most: bigint,
  ): Promise<number> {
    const { hub, sums, figures } = this.#state;
    const selection = { profileType: CPU, selector: `{service_name="${service}"}` };
    const { total, completeness } = await selectTree(hub.sound, { ...selection, ...range });
    const lacks = completeness.missingBlocks + completeness.corruptBlocks;
    const wanted = sums.ofSpan(service, CPU, range);
    const what = `${service} over [${range.start}, ${range.end}) without block ${row.blockId}: ${total} of ${wanted}, ${most} in it`;
    assert.ok(total <= wanted && total >= wanted - (lacks > 0 ? most : 0n), what);
    assert.ok(lacks <= 1 && (lacks === 0 || !completeness.complete), what);
    figures.compared++;
    return lacks;
  }
}

/** Somewhere in it, one bit. */
function withTurnedByte(bytes: Uint8Array, random: () => number): Uint8Array {
  const turned = bytes.slice();
  turned[Math.floor(random() * turned.length)]! ^= 1 << Math.floor(random() * 8);
  return turned;
}
