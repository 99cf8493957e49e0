import { DEFAULT_KEEP, type KeepTimes } from '../../core/retention/retention-policy.ts';
import { DAY_MS, HOUR_MS } from './expected-sums.ts';

// What retention must have left, worked out from policies in plain words: a block goes once its end is past its time, and
// nobody but the hub knows where blocks end. So for each day something is surely kept, surely gone, or either.

export type Fate = 'kept' | 'gone' | 'either';

/** A policy, and whom it means in the words of the simulation. */
export interface SimulatedPolicy {
  readonly selector: string;
  readonly matches: (service: string, cluster: string) => boolean;
  readonly keepMs: KeepTimes;
}

/** Policies that were in force until then, ms. */
interface Epoch {
  readonly policies: readonly SimulatedPolicy[];
  readonly since: number;
  until: number;
}

const days = (raw: number, fiveMinutes: number, hour: number): KeepTimes => ({
  raw: raw * DAY_MS,
  fiveMinutes: fiveMinutes * DAY_MS,
  hour: hour * DAY_MS,
});
const isOf = (wanted: string) => (service: string) => service === wanted;

/** In force from the first days on: one service is kept for little, one cluster and a part of another for less. */
export const FIRST_POLICIES: readonly SimulatedPolicy[] = [
  { selector: '{service_name="service-07"}', matches: isOf('service-07'), keepMs: days(5, 20, 45) },
  {
    selector: '{cluster="edge",service_name=~"service-1."}',
    matches: (service, cluster) => cluster === 'edge' && service.startsWith('service-1'),
    keepMs: days(6, 20, 40),
  },
  {
    selector: '{cluster="staging"}',
    matches: (_, cluster) => cluster === 'staging',
    keepMs: days(7, 30, 120),
  },
];

/** In their place later: longer for one, the default for another, much shorter for the cluster. */
export const LATER_POLICIES: readonly SimulatedPolicy[] = [
  { selector: '{service_name="service-07"}', matches: isOf('service-07'), keepMs: days(8, 30, 60) },
  { selector: '{service_name="service-20"}', matches: isOf('service-20'), keepMs: days(5, 15, 30) },
  {
    selector: '{cluster="staging"}',
    matches: (_, cluster) => cluster === 'staging',
    keepMs: days(5, 15, 50),
  },
];

/** Clocks of hosts differ by less. */
const CLOCKS_MS = HOUR_MS;
/** By then retention ran, whatever failed, and blocks that were to be sealed first are sealed. */
const TAKEN_WITHIN_MS = 2 * DAY_MS;
/** New policies may find months that are past their time. */
const CHANGED_WITHIN_MS = 8 * DAY_MS;

export class ExpectedRetention {
  readonly #epochs: Epoch[] = [{ policies: [], since: 0, until: Number.POSITIVE_INFINITY }];

  change(policies: readonly SimulatedPolicy[], now: number): void {
    this.#epochs.at(-1)!.until = now;
    this.#epochs.push({ policies, since: now, until: Number.POSITIVE_INFINITY });
  }

  /** Of windows of a resolution in blocks that begin and end, but for a window, within a range. */
  fate(
    service: string,
    cluster: string,
    seconds: number,
    range: { readonly start: number; readonly end: number },
    now: number,
  ): Fate {
    let fate: Fate = 'kept';
    for (const { policies, since, until } of this.#epochs) {
      const at = Math.min(until, now);
      const keepMs = keepOf(policies, service, cluster, seconds);
      const isTaken = range.end + HOUR_MS + TAKEN_WITHIN_MS <= at - keepMs;
      if (isTaken && at - since >= CHANGED_WITHIN_MS) return 'gone';
      if (range.start <= at + CLOCKS_MS - keepMs) fate = 'either';
    }
    return fate;
  }
}

/** Since when windows of a resolution are surely kept, ms, of whatever service, by any policy that there is, was or will be. */
export function allKeptSince(seconds: number, now: number): number {
  const keepMs = [...FIRST_POLICIES, ...LATER_POLICIES].map((policy) => keepOfTimes(policy.keepMs, seconds));
  return now + CLOCKS_MS - Math.min(...keepMs);
}

function keepOf(
  policies: readonly SimulatedPolicy[],
  service: string,
  cluster: string,
  seconds: number,
): number {
  const { keepMs = DEFAULT_KEEP } = policies.find(({ matches }) => matches(service, cluster)) ?? {};
  return keepOfTimes(keepMs, seconds);
}

function keepOfTimes({ raw, fiveMinutes, hour }: KeepTimes, seconds: number): number {
  if (seconds === 0) return raw;
  return seconds < 3600 ? fiveMinutes : hour;
}
