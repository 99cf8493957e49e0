import { FrameKind } from '../flamegraph/call-tree.ts';
import { StringTable } from '../profile/string-table.ts';
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
  const functions = symbols.functions.rows;
  const name = functions[func + FunctionColumn.name]! || functions[func + FunctionColumn.systemName]!;
  const module =
    baseName(binary) || baseName(symbols.strings.text(functions[func + FunctionColumn.filename]!));
  const kind = kindOf(rows[at + FrameColumn.flags]! >>> FRAME_KIND_SHIFT, binary, name !== 0);
  if (name !== 0) return { text: symbols.strings.text(name), kind, module };
  if (binary === '') return { text: '[unknown]', kind: FrameKind.unknown, module: '' };
  const address =
    (BigInt(rows[at + FrameColumn.addressHigh]!) << 32n) | BigInt(rows[at + FrameColumn.addressLow]!);
  return { text: `${module}+0x${address.toString(16)}`, kind, module };
}

/**
 * Numbers the names of the frames of many datasets. What a frame is shown as follows from four things; where those were
 * seen before, in whatever dataset, the number is known without building a text: blocks of one service name the same
 * functions over and over.
 */
export class FrameNames {
  readonly #number: (name: FrameName) => number;
  readonly #texts = new StringTable();
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
    const numbers = new Uint32Array(symbols.frames.count);
    const texts = new Uint32Array(symbols.strings.count);
    for (let frame = 0; frame < numbers.length; frame++) {
      if (wanted[frame] !== 0) numbers[frame] = this.#numberOf(symbols, texts, frame);
    }
    return numbers;
  }

  #numberOf(symbols: Symbols, texts: Uint32Array, frame: number): number {
    const { rows } = symbols.frames;
    const at = frame * FrameColumn.width;
    const func = rows[at + FrameColumn.func]! * FunctionColumn.width;
    const mapping = rows[at + FrameColumn.mapping]! * MappingColumn.width;
    const functions = symbols.functions.rows;
    const name = functions[func + FunctionColumn.name]! || functions[func + FunctionColumn.systemName]!;
    // Without a name it is shown by its address, of which there are too many to remember.
    if (name === 0) return this.#number(frameName(symbols, frame));
    const tuple = this.#tuple;
    tuple[0] = this.#text(symbols, texts, name);
    tuple[1] = this.#text(symbols, texts, symbols.mappings.rows[mapping + MappingColumn.filename]!);
    tuple[2] = this.#text(symbols, texts, functions[func + FunctionColumn.filename]!);
    tuple[3] = rows[at + FrameColumn.flags]! >>> FRAME_KIND_SHIFT;
    const known = this.#known.intern(tuple);
    return (this.#numbers[known] ??= this.#number(frameName(symbols, frame)));
  }

  #text(symbols: Symbols, texts: Uint32Array, string: number): number {
    if (string === 0) return 0;
    const known = texts[string]!;
    if (known !== 0) return known;
    const { bytes, starts } = symbols.strings;
    return (texts[string] = this.#texts.intern(bytes, starts[string]!, starts[string + 1]!));
  }
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
