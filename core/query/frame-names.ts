import { FrameKind } from '../flamegraph/call-tree.ts';
import {
  FRAME_KIND_SHIFT,
  FrameColumn,
  FunctionColumn,
  MappingColumn,
  type Symbols,
} from '../profile/symbol-table.ts';
import { TupleTable } from '../profile/tuple-table.ts';

/** How one frame is shown: functions that print alike are one name. */
export interface FrameName {
  readonly text: string;
  readonly kind: FrameKind;
  readonly module: string;
}

/** The function's name; without one, the binary and the address in it, so that unnamed code can still be told apart. */
export function frameName(symbols: Symbols, frame: number): FrameName {
  const { rows } = symbols.frames;
  const at = frame * FrameColumn.width;
  const func = rows[at + FrameColumn.func]! * FunctionColumn.width;
  const mapping = rows[at + FrameColumn.mapping]! * MappingColumn.width;
  const binary = symbols.strings.text(symbols.mappings.rows[mapping + MappingColumn.filename]!);
  const name = nameOf(symbols, rows[at + FrameColumn.func]!);
  const module =
    baseName(binary) ||
    baseName(symbols.strings.text(symbols.functions.rows[func + FunctionColumn.filename]!));
  const kind = kindOf(rows[at + FrameColumn.flags]! >>> FRAME_KIND_SHIFT, binary, name !== 0);
  if (name !== 0) return { text: symbols.strings.text(name), kind, module };
  if (binary === '') return { text: '[unknown]', kind: FrameKind.unknown, module: '' };
  const address =
    (BigInt(rows[at + FrameColumn.addressHigh]!) << 32n) | BigInt(rows[at + FrameColumn.addressLow]!);
  return { text: `${module}+0x${address.toString(16)}`, kind, module };
}

/**
 * Numbers the names of the frames of many datasets. What a frame is shown as follows from four things; where those were
 * seen before, in whatever dataset, the number is known without building a name: blocks of one service name the same
 * functions over and over.
 */
export class FrameNames {
  readonly #number: (name: FrameName) => number;
  readonly #texts = new Map<string, number>([['', 0]]);
  /** (name, binary, source file, kind), all but the kind as numbers of texts. */
  readonly #known = new TupleTable(4);
  readonly #numbers: number[] = [-1];
  readonly #tuple = new Uint32Array(4);

  /** @param number gives a name its number */
  constructor(number: (name: FrameName) => number) {
    this.#number = number;
  }

  /** The numbers of the frames of one dataset for which `wanted` is not 0; 0 for the others. */
  of(symbols: Symbols, wanted: Uint8Array): Uint32Array {
    const alike = framesShownAlike(symbols, wanted);
    const numbers = new Uint32Array(symbols.frames.count);
    const texts = new Uint32Array(symbols.strings.count);
    for (let i = 0; i < alike.firsts.length; i++) {
      const frame = alike.firsts[i]!;
      numbers[frame] = this.#numberOf(symbols, texts, frame);
    }
    fillFrom(numbers, alike.firstOf);
    return numbers;
  }

  #numberOf(symbols: Symbols, texts: Uint32Array, frame: number): number {
    const { rows } = symbols.frames;
    const at = frame * FrameColumn.width;
    const func = rows[at + FrameColumn.func]! * FunctionColumn.width;
    const mapping = rows[at + FrameColumn.mapping]! * MappingColumn.width;
    const name = nameOf(symbols, rows[at + FrameColumn.func]!);
    // Without a name it is shown by its address, of which there are too many to remember.
    if (name === 0) return this.#number(frameName(symbols, frame));
    const tuple = this.#tuple;
    tuple[0] = this.#text(symbols, texts, name);
    tuple[1] = this.#text(symbols, texts, symbols.mappings.rows[mapping + MappingColumn.filename]!);
    tuple[2] = this.#text(symbols, texts, symbols.functions.rows[func + FunctionColumn.filename]!);
    tuple[3] = rows[at + FrameColumn.flags]! >>> FRAME_KIND_SHIFT;
    const known = this.#known.intern(tuple);
    return (this.#numbers[known] ??= this.#number(frameName(symbols, frame)));
  }

  #text(symbols: Symbols, texts: Uint32Array, string: number): number {
    if (string === 0) return 0;
    return texts[string]! || (texts[string] = this.#numberOfText(symbols.strings.passingText(string)));
  }

  #numberOfText(text: string): number {
    let number = this.#texts.get(text);
    if (number === undefined) this.#texts.set(text, (number = this.#texts.size));
    return number;
  }
}

/**
 * Most frames are lines of a function that has other frames too, which are shown alike: only the first of these needs a
 * name.
 */
function framesShownAlike(
  symbols: Symbols,
  wanted: Uint8Array,
): { firsts: Uint32Array; firstOf: Uint32Array } {
  const { count, rows } = symbols.frames;
  const firsts = new Uint32Array(count);
  const firstOf = new Uint32Array(count);
  /** Per function: the first of its frames so far. */
  const before = new Uint32Array(symbols.functions.count);
  let length = 0;
  for (let frame = 0; frame < count; frame++) {
    if (wanted[frame] === 0) continue;
    const func = rows[frame * FrameColumn.width + FrameColumn.func]!;
    const first = before[func]!;
    if (first !== 0 && isShownAlike(symbols, first, frame)) {
      firstOf[frame] = first;
      continue;
    }
    firsts[length++] = frame;
    firstOf[frame] = before[func] = frame;
  }
  return { firsts: firsts.subarray(0, length), firstOf };
}

function fillFrom(numbers: Uint32Array, firstOf: Uint32Array): void {
  for (let frame = 0; frame < numbers.length; frame++) numbers[frame] = numbers[firstOf[frame]!]!;
}

/** Whether two frames of one function that has a name are shown alike. */
function isShownAlike(symbols: Symbols, frame: number, other: number): boolean {
  const { rows } = symbols.frames;
  const a = frame * FrameColumn.width;
  const b = other * FrameColumn.width;
  return (
    rows[a + FrameColumn.mapping] === rows[b + FrameColumn.mapping] &&
    rows[a + FrameColumn.flags]! >>> FRAME_KIND_SHIFT === rows[b + FrameColumn.flags]! >>> FRAME_KIND_SHIFT &&
    nameOf(symbols, rows[a + FrameColumn.func]!) !== 0
  );
}

/** The string that names a function, or 0. */
function nameOf({ functions: { rows } }: Symbols, func: number): number {
  const at = func * FunctionColumn.width;
  return rows[at + FunctionColumn.name]! || rows[at + FunctionColumn.systemName]!;
}

function kindOf(stored: number, binary: string, named: boolean): FrameKind {
  if (stored > 0 && stored <= FrameKind.marker) return stored as FrameKind;
  if (binary.startsWith('[kernel')) return FrameKind.kernel;
  if (binary !== '') return FrameKind.native;
  return named ? FrameKind.interpreted : FrameKind.unknown;
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
