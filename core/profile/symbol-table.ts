import { StackTable } from './stack-table.ts';
import { type Strings, StringTable } from './string-table.ts';
import { TupleTable } from './tuple-table.ts';

// The symbols of one dataset: strings, functions, mappings, frames and stacks, each interned by content and referring
// only to the tables before it. Row 0 of each means "not set".

/** Columns of a function row. */
export const FunctionColumn = { name: 0, systemName: 1, filename: 2, startLine: 3, width: 4 } as const;

/** Columns of a mapping row: a binary mapped into a process. 64-bit numbers are two columns, low half first. */
export const MappingColumn = {
  filename: 0,
  buildId: 1,
  startLow: 2,
  startHigh: 3,
  limitLow: 4,
  limitHigh: 5,
  offsetLow: 6,
  offsetHigh: 7,
  /** Bits of MappingFlag. */
  flags: 8,
  width: 9,
} as const;

/** pprof's Mapping.has_* fields. */
export const MappingFlag = { functions: 1, filenames: 2, lineNumbers: 4, inlineFrames: 8 } as const;

/**
 * Columns of a frame row: one line of one location. A location with inlined calls is a run of frames along the stack:
 * the outermost caller first, then each inlined callee flagged `inlined`, all with the same mapping and address.
 */
export const FrameColumn = {
  func: 0,
  line: 1,
  column: 2,
  mapping: 3,
  addressLow: 4,
  addressHigh: 5,
  /** Bits of FrameFlag, and the FrameKind above them. */
  flags: 6,
  width: 7,
} as const;

export const FrameFlag = { inlined: 1, folded: 2 } as const;
/** flags >>> FRAME_KIND_SHIFT is the frame's FrameKind (core/flamegraph/call-tree.ts). */
export const FRAME_KIND_SHIFT = 4;

/** Rows of fixed width, as a block holds them. */
export interface Tuples {
  readonly width: number;
  readonly count: number;
  readonly rows: Uint32Array;
}

/** Stacks as a prefix tree, as a block holds them: parents before children, node 0 the empty stack. */
export interface Stacks {
  readonly count: number;
  readonly parents: Uint32Array;
  readonly frames: Uint32Array;
}

/** Read side, shared by the interning tables and by what is decoded from a block. */
export interface Symbols {
  readonly strings: Strings;
  readonly functions: Tuples;
  readonly mappings: Tuples;
  readonly frames: Tuples;
  readonly stacks: Stacks;
}

/** Symbols that can be added to. */
export class SymbolTable implements Symbols {
  readonly strings = new StringTable();
  readonly functions = new TupleTable(FunctionColumn.width);
  readonly mappings = new TupleTable(MappingColumn.width, 8);
  readonly frames = new TupleTable(FrameColumn.width);
  readonly stacks = new StackTable();

  /**
   * Adds every symbol of `from` that its stacks can reach and returns where its stacks went: result[i] is the stack
   * here that equals stack i there. O(size of `from`); nothing is decoded to text.
   */
  addAll(from: Symbols): Uint32Array {
    const strings = this.strings.internAll(from.strings);
    const functions = addTuples(this.functions, from.functions, (row) => {
      row[FunctionColumn.name] = strings[row[FunctionColumn.name]!]!;
      row[FunctionColumn.systemName] = strings[row[FunctionColumn.systemName]!]!;
      row[FunctionColumn.filename] = strings[row[FunctionColumn.filename]!]!;
    });
    const mappings = addTuples(this.mappings, from.mappings, (row) => {
      row[MappingColumn.filename] = strings[row[MappingColumn.filename]!]!;
      row[MappingColumn.buildId] = strings[row[MappingColumn.buildId]!]!;
    });
    const frames = addTuples(this.frames, from.frames, (row) => {
      row[FrameColumn.func] = functions[row[FrameColumn.func]!]!;
      row[FrameColumn.mapping] = mappings[row[FrameColumn.mapping]!]!;
    });
    return this.stacks.addAll(from.stacks, frames);
  }
}

/** Adds rows of `from` with their references rewritten by `rewrite`; result[i] is where row i went. */
function addTuples(into: TupleTable, from: Tuples, rewrite: (row: Uint32Array) => void): Uint32Array {
  const { width, rows, count } = from;
  const moved = new Uint32Array(count);
  const row = new Uint32Array(width);
  for (let i = 1; i < count; i++) {
    for (let k = 0, at = i * width; k < width; k++) row[k] = rows[at + k]!;
    rewrite(row);
    moved[i] = into.intern(row);
  }
  return moved;
}
