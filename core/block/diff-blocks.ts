import { type Labels, labelsKey } from '../labels/labels.ts';
import { SymbolTable } from '../profile/symbol-table.ts';
import { frameName } from '../query/frame-names.ts';
import type { BlockReader } from './block-reader.ts';
import { BlockMerge, readBatchTables } from './merge-blocks.ts';
import { type BlockDataset, type BlockRows, spreadOf } from './window-spread.ts';

// What a block says is what it says of each series in each window: samples, total, and the value of each stack. In which
// order its tables stand, which batch brought a row, and into how many blocks rows are divided is no part of that.

/** What one side says of a profile type, or of one window of it. Sums are exact, in the sample unit. */
export interface SideSums {
  readonly samples: number;
  readonly total: bigint;
  /** Raw windows that it sums, and the smallest and largest total of one of them. */
  readonly windows: number;
  readonly least: bigint;
  readonly most: bigint;
}

export interface StackDifference {
  /** Names of its frames, root first. */
  readonly stack: readonly string[];
  readonly a: bigint;
  readonly b: bigint;
}

/** One window of one series that is not the same on both sides. A side that does not have it is absent. */
export interface WindowDifference {
  readonly service: string;
  readonly profileType: string;
  readonly labels: Labels;
  /** Window [start, start + duration), ms. */
  readonly start: number;
  readonly duration: number;
  readonly a?: SideSums;
  readonly b?: SideSums;
  readonly differingStacks: number;
  /** The first STACKS_SHOWN of them. */
  readonly stacks: readonly StackDifference[];
}

export interface TypeSums {
  readonly service: string;
  readonly profileType: string;
  readonly a?: SideSums;
  readonly b?: SideSums;
}

export interface BlockDiff {
  readonly types: TypeSums[];
  /** Windows that were compared, and how many of them differ. */
  windows: number;
  differing: number;
  /** The first of them. */
  readonly differences: WindowDifference[];
}

export interface DiffOptions {
  /** Windows are taken together by the step in which they begin, ms; 0 = each is compared by itself. */
  readonly stepMs: number;
  /** Most differences that are kept. */
  readonly limit: number;
  readonly onService: (service: string) => void;
}

const STACKS_SHOWN = 3;

/**
 * Compares two sets of blocks, each of one resolution, by what they say. Rows that two blocks of a set both have, since
 * a batch came twice, count once, as in a merge and in an answer. Memory: one dataset of each set, and a number per
 * stack of one window.
 * @throws CorruptBlockError
 */
export async function diffBlocks(
  a: readonly BlockReader[],
  b: readonly BlockReader[],
  options: DiffOptions,
): Promise<BlockDiff> {
  const diff: BlockDiff = { types: [], windows: 0, differing: 0, differences: [] };
  const [left, right] = [await datasetsOf(a), await datasetsOf(b)];
  let [x, y] = [await left(), await right()];
  while (x !== undefined || y !== undefined) {
    const service = x === undefined || (y !== undefined && y.service < x.service) ? y!.service : x.service;
    options.onService(service);
    const inA = x?.service === service ? x : undefined;
    const inB = y?.service === service ? y : undefined;
    diffDatasets(service, inA, inB, options, diff);
    if (inA !== undefined) x = await left();
    if (inB !== undefined) y = await right();
  }
  return diff;
}

/** Datasets of a set, one per service, in order; undefined after the last. */
async function datasetsOf(readers: readonly BlockReader[]): Promise<() => Promise<BlockDataset | undefined>> {
  const datasets = new BlockMerge(readers, await readBatchTables(readers)).datasets();
  return async () => (await datasets.next()).value ?? undefined;
}

/** Rows of one side, with its stacks as the table that both sides share numbers them. */
interface Side {
  readonly labelSets: readonly Labels[];
  readonly rows: BlockRows;
  readonly stackOf: Uint32Array;
}

function diffDatasets(
  service: string,
  a: BlockDataset | undefined,
  b: BlockDataset | undefined,
  options: DiffOptions,
  diff: BlockDiff,
): void {
  const symbols = new SymbolTable();
  const [sideA, sideB] = [a, b].map((dataset) => {
    const stackOf = dataset === undefined ? undefined : symbols.addAll(dataset.symbols);
    return (profileType: string): Side | undefined => {
      const rows = dataset?.types.get(profileType);
      if (rows === undefined || rows.count === 0) return undefined;
      return { labelSets: dataset!.labelSets, rows, stackOf: stackOf! };
    };
  }) as [SideOfType, SideOfType];
  const types = new Set([...(a?.types.keys() ?? []), ...(b?.types.keys() ?? [])]);
  for (const profileType of [...types].sort()) {
    const pair = [sideA(profileType), sideB(profileType)] as const;
    if (pair[0] === undefined && pair[1] === undefined) continue;
    diff.types.push({ service, profileType, ...sidesOf(pair.map((side) => side && sumAll(side))) });
    diffWindows({ service, profileType }, pair, symbols, options, diff);
  }
}

type SideOfType = (profileType: string) => Side | undefined;
type Pair<T> = readonly [a: T, b: T];

/** One window of one series: the rows of each side that are of it. */
interface Window {
  readonly labels: Labels;
  readonly start: number;
  readonly duration: number;
  readonly rows: Pair<number[]>;
}

function diffWindows(
  type: { readonly service: string; readonly profileType: string },
  sides: Pair<Side | undefined>,
  symbols: SymbolTable,
  options: DiffOptions,
  diff: BlockDiff,
): void {
  for (const window of windowsOf(sides, options.stepMs)) {
    diff.windows++;
    const sums = sides.map((side, i) => sumRows(side, window.rows[i]!));
    const stacks = stacksThatDiffer(sides, window.rows);
    if (stacks.length === 0 && areEqual(sums[0], sums[1])) continue;
    diff.differing++;
    if (diff.differences.length === options.limit) continue;
    const { labels, start, duration } = window;
    const shown = stacks.slice(0, STACKS_SHOWN).map(({ stack, a, b }) => ({
      stack: namesOf(symbols, stack),
      ...{ a, b },
    }));
    const head = { ...type, labels, start, duration, ...sidesOf(sums) };
    diff.differences.push({ ...head, differingStacks: stacks.length, stacks: shown });
  }
}

/** By series in the order of its labels, then by time. */
function windowsOf(sides: Pair<Side | undefined>, stepMs: number): Window[] {
  const windows = new Map<string, Window>();
  for (const [i, side] of sides.entries()) {
    if (side === undefined) continue;
    const keys = side.labelSets.map(labelsKey);
    for (let row = 0; row < side.rows.count; row++) {
      const at = side.rows.start[row]!;
      const start = stepMs === 0 ? at : Math.floor(at / stepMs) * stepMs;
      const duration = stepMs === 0 ? side.rows.duration[row]! : stepMs;
      const series = side.rows.series[row]!;
      const key = `${keys[series]!}\u0002${String(start).padStart(16, '0')}+${duration}`;
      let window = windows.get(key);
      if (window === undefined) {
        window = { labels: side.labelSets[series]!, start, duration, rows: [[], []] };
        windows.set(key, window);
      }
      window.rows[i]!.push(row);
    }
  }
  return [...windows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, window]) => window);
}

function sumAll(side: Side): SideSums {
  return sumRows(
    side,
    Array.from({ length: side.rows.count }, (_, row) => row),
  )!;
}

/** Undefined when the side has none of them. */
function sumRows(side: Side | undefined, which: readonly number[]): SideSums | undefined {
  if (side === undefined || which.length === 0) return undefined;
  const { rows } = side;
  const spread = spreadOf(rows);
  let [samples, total, windows, most] = [0, 0n, 0, 0n];
  let least: bigint | undefined;
  for (const row of which) {
    const scale = BigInt(rows.scale[row]!);
    const [low, high] = [BigInt(spread.least[row]!) * scale, BigInt(spread.most[row]!) * scale];
    samples += rows.samples[row]!;
    total += BigInt(rows.total[row]!) * scale;
    windows += spread.windows[row]!;
    if (least === undefined || low < least) least = low;
    if (high > most) most = high;
  }
  return { samples, total, windows, least: least ?? 0n, most };
}

function areEqual(a: SideSums | undefined, b: SideSums | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (
    a.samples === b.samples &&
    a.total === b.total &&
    a.windows === b.windows &&
    a.least === b.least &&
    a.most === b.most
  );
}

/** Ascending by number. */
function stacksThatDiffer(sides: Pair<Side | undefined>, which: Pair<number[]>) {
  const [a, b] = sides.map((side, i) => valuesByStack(side, which[i]!)) as [
    Map<number, bigint>,
    Map<number, bigint>,
  ];
  const stacks = [...new Set([...a.keys(), ...b.keys()])].sort((x, y) => x - y);
  return stacks
    .map((stack) => ({ stack, a: a.get(stack) ?? 0n, b: b.get(stack) ?? 0n }))
    .filter((one) => one.a !== one.b);
}

function valuesByStack(side: Side | undefined, which: readonly number[]): Map<number, bigint> {
  const values = new Map<number, bigint>();
  for (const row of which) {
    const { rows, stackOf } = side!;
    const scale = BigInt(rows.scale[row]!);
    for (let i = rows.entryStarts[row]!, end = rows.entryStarts[row + 1]!; i < end; i++) {
      const stack = stackOf[rows.stacks[i]!]!;
      values.set(stack, (values.get(stack) ?? 0n) + BigInt(rows.values[i]!) * scale);
    }
  }
  return values;
}

function namesOf(symbols: SymbolTable, stack: number): string[] {
  const names: string[] = [];
  for (let node = stack; node !== 0; node = symbols.stacks.parents[node]!)
    names.push(frameName(symbols, symbols.stacks.frames[node]!).text);
  return names.reverse();
}

function sidesOf([a, b]: readonly (SideSums | undefined)[]): { a?: SideSums; b?: SideSums } {
  return { ...(a && { a }), ...(b && { b }) };
}
