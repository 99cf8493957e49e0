import { StringColumn } from '../profile/string-table.ts';
import {
  FrameColumn,
  FunctionColumn,
  MappingColumn,
  type Symbols,
  type Tuples,
} from '../profile/symbol-table.ts';
import type { BlockDataset, BlockRows } from './window-spread.ts';

/**
 * The dataset without the series, stacks and names that none of its rows refers to: what was deleted leaves no label
 * and no function behind. What is left keeps its order. Memory: the dataset once more.
 */
export function pruneDataset(dataset: BlockDataset): BlockDataset {
  const series = new Uint8Array(dataset.labelSets.length);
  const stacks = new Uint8Array(dataset.symbols.stacks.count);
  for (const rows of dataset.types.values()) {
    for (let row = 0; row < rows.count; row++) series[rows.series[row]!] = 1;
    for (let i = 0, end = rows.entryStarts[rows.count]!; i < end; i++) stacks[rows.stacks[i]!] = 1;
  }
  const { symbols, stackOf } = pruneSymbols(dataset.symbols, stacks);
  const seriesOf = placesOf(series, 0);
  const types = new Map<string, BlockRows>();
  for (const [profileType, rows] of dataset.types) {
    if (rows.count === 0) continue;
    types.set(profileType, {
      ...rows,
      series: renumbered(rows.series, rows.count, seriesOf),
      stacks: renumbered(rows.stacks, rows.entryStarts[rows.count]!, stackOf),
    });
  }
  const labelSets = dataset.labelSets.filter((_, i) => series[i] === 1);
  return { service: dataset.service, symbols, labelSets, types };
}

/**
 * The symbols that some stacks are made of, in the order they had, and where each of those stacks went.
 * @param used 1 per stack that is wanted; 1 is added for all that these are made of
 */
export function pruneSymbols(from: Symbols, used: Uint8Array): { symbols: Symbols; stackOf: Uint32Array } {
  const frames = new Uint8Array(from.frames.count);
  const functions = new Uint8Array(from.functions.count);
  const mappings = new Uint8Array(from.mappings.count);
  const strings = new Uint8Array(from.strings.count);
  // Parents stand before children.
  for (let stack = used.length - 1; stack > 0; stack--) {
    if (used[stack] === 0) continue;
    used[from.stacks.parents[stack]!] = 1;
    frames[from.stacks.frames[stack]!] = 1;
  }
  mark(from.frames, frames, [FrameColumn.func], functions);
  mark(from.frames, frames, [FrameColumn.mapping], mappings);
  mark(from.functions, functions, FUNCTION_STRINGS, strings);
  mark(from.mappings, mappings, MAPPING_STRINGS, strings);
  const stackOf = placesOf(used, 1);
  const [frameOf, functionOf, mappingOf, stringOf] = [frames, functions, mappings, strings].map((table) =>
    placesOf(table, 1),
  ) as [Uint32Array, Uint32Array, Uint32Array, Uint32Array];
  const symbols: Symbols = {
    strings: keptStrings(from.strings, strings),
    functions: keptTuples(from.functions, functions, (column) =>
      FUNCTION_STRINGS.includes(column) ? stringOf : undefined,
    ),
    mappings: keptTuples(from.mappings, mappings, (column) =>
      MAPPING_STRINGS.includes(column) ? stringOf : undefined,
    ),
    frames: keptTuples(from.frames, frames, (column) =>
      column === FrameColumn.func ? functionOf : column === FrameColumn.mapping ? mappingOf : undefined,
    ),
    stacks: keptStacks(from.stacks, used, stackOf, frameOf),
  };
  return { symbols, stackOf };
}

const FUNCTION_STRINGS: readonly number[] = [
  FunctionColumn.name,
  FunctionColumn.systemName,
  FunctionColumn.filename,
];
const MAPPING_STRINGS: readonly number[] = [MappingColumn.filename, MappingColumn.buildId];

/** Marks what the columns of used rows refer to. */
function mark(from: Tuples, used: Uint8Array, columns: readonly number[], targets: Uint8Array): void {
  for (let row = 1; row < from.count; row++) {
    if (used[row] === 0) continue;
    for (const column of columns) targets[from.rows[row * from.width + column]!] = 1;
  }
}

/** Where each used row goes. The first `always` rows, which mean "not set", stay. */
function placesOf(used: Uint8Array, always: number): Uint32Array {
  const places = new Uint32Array(used.length);
  let next = 0;
  for (let i = 0; i < used.length; i++) {
    if (i < always) used[i] = 1;
    if (used[i] === 1) places[i] = next++;
  }
  return places;
}

function renumbered(numbers: Uint32Array, length: number, placeOf: Uint32Array): Uint32Array {
  const moved = new Uint32Array(length);
  for (let i = 0; i < length; i++) moved[i] = placeOf[numbers[i]!]!;
  return moved;
}

function countOf(used: Uint8Array): number {
  let count = 0;
  for (const one of used) count += one;
  return count;
}

function keptTuples(
  from: Tuples,
  used: Uint8Array,
  placesIn: (column: number) => Uint32Array | undefined,
): Tuples {
  const { width } = from;
  const count = countOf(used);
  const rows = new Uint32Array(count * width);
  const places = Array.from({ length: width }, (_, column) => placesIn(column));
  let at = 0;
  for (let row = 0; row < from.count; row++) {
    if (used[row] === 0) continue;
    for (let column = 0; column < width; column++) {
      const value = from.rows[row * width + column]!;
      rows[at++] = places[column]?.[value] ?? value;
    }
  }
  return { width, count, rows };
}

function keptStacks(
  from: Symbols['stacks'],
  used: Uint8Array,
  stackOf: Uint32Array,
  frameOf: Uint32Array,
): Symbols['stacks'] {
  const count = countOf(used);
  const parents = new Uint32Array(count);
  const frames = new Uint32Array(count);
  for (let stack = 1; stack < from.count; stack++) {
    if (used[stack] === 0) continue;
    parents[stackOf[stack]!] = stackOf[from.parents[stack]!]!;
    frames[stackOf[stack]!] = frameOf[from.frames[stack]!]!;
  }
  return { count, parents, frames };
}

function keptStrings(from: Symbols['strings'], used: Uint8Array): Symbols['strings'] {
  const count = countOf(used);
  const starts = new Uint32Array(count + 1);
  const bytes = new Uint8Array(from.starts[from.count]!);
  let length = 0;
  let next = 0;
  for (let i = 0; i < from.count; i++) {
    if (used[i] === 0) continue;
    bytes.set(from.bytes.subarray(from.starts[i]!, from.starts[i + 1]!), length);
    length += from.starts[i + 1]! - from.starts[i]!;
    starts[++next] = length;
  }
  return new StringColumn(bytes.subarray(0, length), starts);
}
