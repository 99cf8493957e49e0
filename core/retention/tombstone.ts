import { clustersOf } from '../block/batch-table.ts';
import { rolledUpIn } from '../block/families.ts';
import { RejectedError } from '../errors.ts';
import { CLUSTER, type Labels, labelsOf, SERVICE_NAME } from '../labels/labels.ts';
import { type CompileRegex, compileMatchers } from '../labels/matcher.ts';
import { formatSelector, parseSelector } from '../labels/selector.ts';
import type { TimeSpan } from '../query/time-span.ts';

/**
 * A deletion by matcher and time: what a query of the selector over [start, end) answers, the windows of matching
 * series that start in it, is gone from answers as soon as it is recorded, and from blocks once they are rewritten.
 */
export interface Tombstone extends TimeSpan {
  readonly id: string;
  readonly selector: string;
  readonly createdAt: number;
  /** Why, in the words of who deleted. */
  readonly reason: string;
}

/** Most tombstones in force for one tenant: each query asks all of them. */
export const TOMBSTONES_MAX = 1000;

/** What a block says of itself without being read. Times are ms, half-open. */
export interface TombstoneRow {
  readonly level: number;
  readonly resolutionSeconds: number;
  readonly minTime: number;
  readonly maxTime: number;
  readonly createdAt: number;
  readonly batchIds: readonly string[];
  readonly datasets: readonly { readonly service: string }[];
}

interface Compiled {
  readonly tombstone: Tombstone;
  readonly matches: (labels: Labels) => boolean;
  /** What the matchers on one label alone say of its value. */
  readonly matchesCluster: (value: string) => boolean;
  readonly matchesService: (value: string) => boolean;
  /** Labels that its matchers ask for. */
  readonly labels: readonly string[];
}

/** Tombstones in force, ready to be asked. */
export class Tombstones {
  readonly #compiled: readonly Compiled[];

  private constructor(compiled: readonly Compiled[]) {
    this.#compiled = compiled;
  }

  /** @throws RejectedError('invalid') for a selector that is none */
  static of(tombstones: readonly Tombstone[], compileRegex: CompileRegex): Tombstones {
    return new Tombstones(tombstones.map((tombstone) => compile(tombstone, compileRegex)));
  }

  get all(): Tombstone[] {
    return this.#compiled.map(({ tombstone }) => tombstone);
  }

  get isEmpty(): boolean {
    return this.#compiled.length === 0;
  }

  /** When windows of a series are deleted; to be asked once per series. */
  spansOf(labels: Labels): Tombstone[] {
    return this.#compiled.filter(({ matches }) => matches(labels)).map(({ tombstone }) => tombstone);
  }

  having(ids: readonly string[]): Tombstones {
    return this.#where(({ tombstone }) => ids.includes(tombstone.id));
  }

  /** Those that were recorded until a time, by which every merge that began without them has said when it began. */
  settled(nowMs: number, settleMs: number): Tombstones {
    return this.#where(({ tombstone: { createdAt } }) => createdAt + settleMs <= nowMs);
  }

  /** Those whose rows a block can tell: it rolled up none of the labels that they ask for. */
  toldBy(row: TombstoneRow): Tombstones {
    const rolledUp = rolledUpIn(row);
    return rolledUp.length === 0 ? this : this.#where(({ labels }) => !asksForAny(labels, rolledUp));
  }

  /**
   * Tombstones that a block may still hold rows of, and can tell them, by what its index row says. A merge dates its
   * output by when it read the tombstones that it applied.
   * @param settleMs how far clocks may be apart, and a reader behind a writer
   */
  concerning(row: TombstoneRow, settleMs: number): Tombstones {
    return this.#touching(row, settleMs).toldBy(row);
  }

  /** Tombstones that a block may still hold rows of, and cannot tell: they must not be applied to it. */
  untoldIn(row: TombstoneRow, settleMs: number): Tombstones {
    const rolledUp = rolledUpIn(row);
    const isUntold = ({ labels }: Compiled) => asksForAny(labels, rolledUp);
    return rolledUp.length === 0 ? NO_TOMBSTONES : this.#touching(row, settleMs).#where(isUntold);
  }

  #touching(row: TombstoneRow, settleMs: number): Tombstones {
    if (this.isEmpty) return this;
    const clusters = clustersOf(row.batchIds);
    return (
      this.#where(({ tombstone: { start, end } }) => row.minTime < end && row.maxTime > start)
        // Blocks of level 0 are made of batches as they came, whatever was deleted.
        .#where(({ tombstone }) => row.level === 0 || row.createdAt < tombstone.createdAt + settleMs)
        .#where(({ matchesService }) => row.datasets.some(({ service }) => matchesService(service)))
        // A block that does not name its clusters may hold any.
        .#where(({ matchesCluster }) => clusters.length === 0 || clusters.some(matchesCluster))
    );
  }

  #where(holds: (one: Compiled) => boolean): Tombstones {
    return this.isEmpty ? this : new Tombstones(this.#compiled.filter(holds));
  }
}

const NO_TOMBSTONES = Tombstones.of([], () => () => false);

function asksForAny(labels: readonly string[], rolledUp: readonly string[]): boolean {
  return labels.some((label) => rolledUp.includes(label));
}

function compile(tombstone: Tombstone, compileRegex: CompileRegex): Compiled {
  const { matchers } = parseSelector(tombstone.selector);
  const ofLabel = (label: string) => {
    const accepts = compileMatchers(
      matchers.filter(({ name }) => name === label),
      compileRegex,
    );
    return (value: string) => accepts(labelsOf([[label, value]]));
  };
  return {
    tombstone,
    matches: compileMatchers(matchers, compileRegex),
    matchesCluster: ofLabel(CLUSTER),
    matchesService: ofLabel(SERVICE_NAME),
    labels: matchers.map(({ name }) => name),
  };
}

/**
 * The first of the spans that deletes a row, if any: that its window starts in, or, when it is downsampled, that its
 * step touches. What a coarse row sums cannot be told apart, so it goes as a whole.
 * @param stepMs of a downsampled row; 0 = raw
 */
export function deletingSpan<Span extends TimeSpan>(
  spans: readonly Span[],
  start: number,
  stepMs: number,
): Span | undefined {
  const end = start + Math.max(1, stepMs);
  for (const span of spans) if (start < span.end && end > span.start) return span;
  return undefined;
}

/** Steps of that length that a span takes in part only, ascending, aligned to multiples of their length. */
export function cutSteps(spans: readonly TimeSpan[], stepMs: number): TimeSpan[] {
  if (stepMs === 0) return [];
  const edges = spans.flatMap(({ start, end }) => [start, end]).filter((edge) => edge % stepMs !== 0);
  const starts = new Set(edges.map((edge) => Math.floor(edge / stepMs) * stepMs));
  return [...starts].sort((a, b) => a - b).map((start) => ({ start, end: start + stepMs }));
}

/** The steps of that length that spans touch, each span's together; not disjoint. */
export function touchedSteps(spans: readonly TimeSpan[], stepMs: number): TimeSpan[] {
  return spans.map(({ start, end }) => ({
    start: Math.floor(start / stepMs) * stepMs,
    end: Math.ceil(end / stepMs) * stepMs,
  }));
}

/** @throws RejectedError('invalid') for a range or a selector that deletes nothing, or everything by mistake */
export function checkTombstone(
  { selector, start, end, reason }: Tombstone,
  compileRegex: CompileRegex,
): void {
  const { matchers, profileType } = parseSelector(selector);
  compileMatchers(matchers, compileRegex);
  if (profileType !== '')
    throw new RejectedError('invalid', 'a deletion covers every profile type of a series');
  if (matchers.length === 0) {
    const everything = formatSelector([{ name: SERVICE_NAME, op: '=~', value: '.*' }]);
    throw new RejectedError(
      'invalid',
      `an empty selector would delete everything; write ${everything} to do so`,
    );
  }
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || start >= end)
    throw new RejectedError('invalid', `[${start}, ${end}) is not a range of time in ms`);
  if (reason === '' || reason.length > 1000)
    throw new RejectedError('invalid', 'a deletion needs a reason of 1 to 1000 characters');
}
