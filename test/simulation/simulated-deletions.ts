import assert from 'node:assert/strict';
import { deleteProfiles, listDeletions } from '../../pipeline/delete-profiles.ts';
import { rewriteBlocks } from '../../pipeline/rewrite-blocks.ts';
import { selectTree } from '../../pipeline/run-query.ts';
import { assertWhole, checkTree } from './check-answers.ts';
import { allKeptSince } from './expected-retention.ts';
import { DAY_MS, type ExpectedDeletion, HOUR_MS, type Window } from './expected-sums.ts';
import { CPU, HEAP } from './simulated-fleet.ts';
import { despiteFaults } from './simulated-hub.ts';
import type { YearState } from './year-state.ts';

// People delete profiles: of services, pods that are long gone, parts of a cluster; of the last hours, of hours that are closed,
// days that are sealed, ranges that are joined; and again what was deleted before. What they named must be gone from
// answers at once and from blocks within a day, and nothing else with it.

/** Most that a deletion may take until every block is rewritten, whatever fails meanwhile. */
const PROVEN_WITHIN_MS = 36 * HOUR_MS;
/** Edges are chosen where blocks as fine as they are will still be there when they are rewritten. */
const MARGIN_MS = 60 * HOUR_MS;

/** Nodes sample three times a day. */
const SLOT_MS = DAY_MS / 3;

interface Chosen {
  readonly selector: string;
  readonly matches: (window: Window, cluster: string) => boolean;
  /** One of the services that it takes something of. */
  readonly service: string;
}

interface Range {
  readonly start: number;
  readonly end: number;
}

export class SimulatedDeletions {
  readonly #state: YearState;
  readonly #yearStart: number;
  /** Pods that ran at some time, and mostly run no more. */
  readonly #pods: { service: string; name: string }[] = [];
  #count = 0;

  constructor(state: YearState, yearStart: number) {
    this.#state = state;
    this.#yearStart = yearStart;
  }

  notePod(): void {
    const pod = this.#state.fleet.somePod();
    if (pod !== undefined) this.#pods.push(pod);
  }

  /**
   * Deletes something.
   * @param isDrained whether all that came is stored: then answers are compared at once
   */
  async deleteSome(isDrained: boolean): Promise<void> {
    const range = this.#range();
    if (range !== undefined) await this.#delete(this.#choose(range), range, isDrained);
  }

  /** All there ever was of a service that is gone. */
  async deleteService(service: string, isDrained: boolean): Promise<void> {
    const matches = (window: Window) => window.service === service;
    const range = { start: this.#yearStart, end: this.#state.hub.now };
    await this.#delete({ selector: `{service_name="${service}"}`, matches, service }, range, isDrained);
  }

  /** What a housekeeper does each hour: as long as deletions wait for it, or batches may still bring what they took. */
  async rewrite(): Promise<void> {
    const { hub, figures } = this.#state;
    const run = () => rewriteBlocks(hub.keeper.hub, (job) => hub.runJob(hub.keeper, job));
    const report = await figures.timed('rewrites', () => despiteFaults(run));
    figures.rewritten += report?.rewritten ?? 0;
    figures.deletionsDone += report?.done ?? 0;
  }

  get isUnderWay(): boolean {
    return this.#state.sums.deletions.some(({ isProven }) => !isProven);
  }

  /** What no block is concerned by any more must be in none: each is read to see that. */
  async prove(): Promise<void> {
    if (!this.isUnderWay) return;
    const { hub, sums, figures } = this.#state;
    const pending = new Map((await listDeletions(hub.sound)).map((one) => [one.id, one]));
    for (const deletion of sums.deletions) {
      if (deletion.isProven) continue;
      const { createdAt, pendingBlocks } = pending.get(deletion.id)!;
      if (pendingBlocks > 0) {
        const hours = Math.round((hub.now - createdAt) / HOUR_MS);
        assert.ok(
          hub.now - createdAt < PROVEN_WITHIN_MS,
          `deletion ${deletion.id} is in blocks after ${hours} hours`,
        );
        continue;
      }
      const found = await listDeletions(hub.sound, { verify: deletion.id });
      const { rows, unread } = found.find(({ id }) => id === deletion.id)!.check!;
      assert.deepEqual({ rows, unread }, { rows: 0, unread: [] }, `blocks hold what ${deletion.id} deleted`);
      deletion.isProven = true;
      figures.proven(hub.now - createdAt);
    }
  }

  async #delete(chosen: Chosen, range: Range, isDrained: boolean): Promise<void> {
    const { hub, sums, figures, damaged } = this.#state;
    const { selector, matches } = chosen;
    const reason = `simulated ${++this.#count}`;
    const request = { selector, ...range, reason };
    const isSure = isDrained && damaged.size === 0;
    const dry = await deleteProfiles(hub.sound, { ...request, dryRun: true });
    await despiteFaults(() => deleteProfiles(hub.process, request));
    // Its answer may have got lost, and it may be in force or not.
    const recorded = (await listDeletions(hub.sound)).filter((one) => one.reason === reason);
    let samples = 0;
    for (const { id, start, end } of recorded) {
      const deletion: ExpectedDeletion = { id, start, end, matches, isProven: false };
      samples += sums.delete(deletion);
      figures.event('deletions');
    }
    figures.deletedSamples += samples;
    // Recorded twice, when its answer got lost, it takes the same samples once.
    if (recorded.length > 0 && isSure && range.start >= allKeptSince(3600, hub.now))
      assert.equal(dry.samples, samples, `dry run of ${selector} over [${range.start}, ${range.end})`);
    if (recorded.length > 0) await this.#checkGone(chosen, range, isSure);
    hub.now += 1000;
  }

  async #checkGone({ selector, service }: Chosen, range: Range, isSure: boolean): Promise<void> {
    const { hub, figures, sampled } = this.#state;
    for (const profileType of [CPU, HEAP]) {
      const { total, completeness } = await selectTree(hub.sound, { profileType, selector, ...range });
      if (isSure) assertWhole(completeness);
      assert.equal(
        total,
        0n,
        `${selector} over [${range.start}, ${range.end}) is answered though it is deleted`,
      );
      figures.compared++;
    }
    if (!isSure) return;
    const [from, until] = [Math.floor(range.start / DAY_MS), Math.ceil(range.end / DAY_MS)];
    const [sample] = sampled;
    for (const one of new Set([service, sample!]))
      figures.compared += await checkTree(this.#state, one, from, until, sampled.includes(one));
  }

  #range(): Range | undefined {
    const { hub, random, sums } = this.#state;
    const { now } = hub;
    const before = sums.deletions.at(-1);
    const kind = random();
    const between = (from: number, to: number) => now - from - random() * (to - from);
    let [start, end] = [0, 0];
    if (kind < 0.2) [start, end] = [between(0, 12 * HOUR_MS), now];
    else if (kind < 0.4) start = between(6 * HOUR_MS, 72 * HOUR_MS);
    else if (kind < 0.6) start = between(4 * DAY_MS, 12 * DAY_MS);
    else if (kind < 0.7 && before !== undefined) start = before.start + (random() - 0.5) * DAY_MS;
    else start = between(20 * DAY_MS, Math.max(21 * DAY_MS, now - this.#yearStart));
    // Where there are windows: after a time at which nodes sample.
    if (end === 0) start = Math.floor(start / SLOT_MS) * SLOT_MS + random() * 0.5 * HOUR_MS;
    const longest = start < now - 12 * DAY_MS ? 20 * DAY_MS : 2 * DAY_MS;
    if (end === 0) end = Math.min(now, start + HOUR_MS / 4 + random() ** 2 * longest);
    const range = { start: this.#edge(start), end: this.#edge(end) };
    return range.start >= this.#yearStart && range.start < range.end ? range : undefined;
  }

  /** Steps that an edge cuts go whole where no finer block of them is left whole: so edges lie between these. */
  #edge(time: number): number {
    const { now } = this.#state.hub;
    const floor = (ms: number) => Math.floor(time / ms) * ms;
    if (time > allKeptSince(0, now) + MARGIN_MS) return floor(this.#state.random() < 0.5 ? 1 : 10_000);
    if (time > allKeptSince(300, now) + MARGIN_MS) return floor(300_000);
    return floor(time > allKeptSince(3600, now) + MARGIN_MS ? HOUR_MS : DAY_MS);
  }

  /** Pods may be rolled up from 1 h on: they are deleted where finer blocks are left. */
  #choose({ start }: Range): Chosen {
    const { random, fleet } = this.#state;
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
    const pod = pick(this.#pods) ?? { service: fleet.services[0]!, name: 'none' };
    const service = pick(fleet.services);
    const ofPods: Chosen[] = [
      { selector: `{pod="${pod.name}"}`, matches: (window) => window.pod === pod.name, service: pod.service },
      {
        selector: `{service_name="${pod.service}",pod!="${pod.name}"}`,
        matches: (window) => window.service === pod.service && window.pod !== pod.name,
        service: pod.service,
      },
    ];
    const others: Chosen[] = [
      {
        selector: `{service_name="${service}"}`,
        matches: (window) => window.service === service,
        service,
      },
      {
        selector: '{cluster="edge",service_name=~"service-1[0-4]"}',
        matches: (window, cluster) => cluster === 'edge' && /^service-1[0-4]$/.test(window.service),
        service: 'service-12',
      },
    ];
    const isFine = start > allKeptSince(300, this.#state.hub.now) + MARGIN_MS;
    return pick(isFine ? [...ofPods, ...others] : others);
  }
}
