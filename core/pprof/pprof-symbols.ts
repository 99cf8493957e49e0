import { MalformedInputError } from '../errors.ts';
import { FrameKind } from '../flamegraph/call-tree.ts';
import {
  FRAME_KIND_SHIFT,
  FrameColumn,
  FrameFlag,
  FunctionColumn,
  MappingColumn,
  MappingFlag,
  type SymbolTable,
} from '../profile/symbol-table.ts';
import { ProtoReader } from '../wire/proto-reader.ts';
import { type IdTable, indexIds } from './id-table.ts';
import { FunctionField, LineField, LocationField, MappingField } from './pprof-fields.ts';
import type { PprofLimits } from './pprof-limits.ts';
import { PPROF, type PprofSections } from './pprof-sections.ts';

/**
 * What becomes of addresses.
 * - `all` keeps mappings and addresses as they came: encoding again gives the same profile.
 * - `unsymbolized` keeps what can still be looked up: a location whose lines are all named loses its address, another
 *   one has it counted from the start of its file, and mappings keep only file and build id. Without that, the random
 *   load address of every process would make all its stacks new.
 */
export type KeepAddresses = 'all' | 'unsymbolized';

/** Leaf that stands for the frames that were cut from a stack. */
export const TRUNCATED_NAME = '[truncated]';

const decoder = new TextDecoder();

/**
 * Interns the symbols of one profile when they are first used, so that what no sample reaches costs next to nothing
 * and never gets into the table.
 */
export class PprofSymbols {
  readonly locations: IdTable;
  /** Distinct locations that samples used. */
  used = 0;
  readonly #raw: Uint8Array;
  readonly #sections: PprofSections;
  readonly #into: SymbolTable;
  readonly #limits: PprofLimits;
  readonly #keepAll: boolean;
  readonly #functions: IdTable;
  readonly #mappings: IdTable;
  readonly #stringIds: Int32Array;
  readonly #functionRows: Int32Array;
  readonly #mappingRows: Int32Array;
  /** Per mapping: memory start, limit and file offset, two halves each, for `unsymbolized`. */
  readonly #memory: Uint32Array;
  /** One reader per kind of message, as reading one reaches into the next. */
  readonly #locationReader: ProtoReader;
  readonly #innerReader: ProtoReader;
  readonly #row: Uint32Array;
  /** Lines of the location being read, innermost first, three columns each: function row, line, column. */
  #lines = new Uint32Array(48);

  /** Per location: 0 while not read; frame + 1 when it is one frame; -1 − r when it is the run r of several. */
  readonly frameOf: Int32Array;
  /** Run r is runFrames[runStarts[r]..runStarts[r+1]), outermost frame first. */
  runStarts = new Uint32Array(16);
  runFrames = new Uint32Array(64);
  #runs = 0;

  constructor(
    raw: Uint8Array,
    sections: PprofSections,
    into: SymbolTable,
    limits: PprofLimits,
    keep: KeepAddresses,
  ) {
    this.#raw = raw;
    this.#sections = sections;
    this.#into = into;
    this.#limits = limits;
    this.#keepAll = keep === 'all';
    this.locations = indexIds(raw, sections.locations, 'location');
    this.#functions = indexIds(raw, sections.functions, 'function');
    this.#mappings = indexIds(raw, sections.mappings, 'mapping');
    this.#stringIds = new Int32Array(sections.strings.count).fill(-1);
    this.#stringIds[0] = 0;
    this.#functionRows = new Int32Array(sections.functions.count).fill(-1);
    this.#mappingRows = new Int32Array(sections.mappings.count).fill(-1);
    this.#memory = new Uint32Array(sections.mappings.count * 6);
    this.#locationReader = new ProtoReader(raw, PPROF);
    this.#innerReader = new ProtoReader(raw, PPROF);
    this.#row = new Uint32Array(MappingColumn.width);
    this.frameOf = new Int32Array(sections.locations.count);
  }

  /** String i of the profile as text, broken UTF-8 as U+FFFD. */
  text(i: number): string {
    const { starts, ends, count } = this.#sections.strings;
    if (i >= count) throw new MalformedInputError(PPROF, `string index ${i} is not below ${count}`);
    return decoder.decode(this.#raw.subarray(starts[i], ends[i]));
  }

  /** Bytes of string i, before any cut. */
  byteLengthOf(i: number): number {
    const { starts, ends } = this.#sections.strings;
    return ends[i]! - starts[i]!;
  }

  /** The frame that ends a stack which was cut. */
  truncatedFrame(): number {
    const { strings, functions, frames } = this.#into;
    const func = new Uint32Array(FunctionColumn.width);
    func[FunctionColumn.name] = strings.internText(TRUNCATED_NAME);
    const frame = new Uint32Array(FrameColumn.width);
    frame[FrameColumn.func] = functions.intern(func);
    frame[FrameColumn.flags] = FrameKind.marker << FRAME_KIND_SHIFT;
    return frames.intern(frame);
  }

  /** Reads location number `location` and fills frameOf[location]. */
  readLocation(location: number): void {
    const reader = this.#locationReader;
    const { starts, ends } = this.#sections.locations;
    const end = ends[location]!;
    reader.at = starts[location]!;
    let mapping = -1;
    let addressLow = 0;
    let addressHigh = 0;
    let folded = 0;
    let lines = 0;
    while (reader.at < end) {
      const tag = reader.tag();
      switch (tag) {
        case LocationField.line:
          this.#readLine(reader, lines++);
          break;
        case LocationField.mapping:
          reader.varint();
          if (reader.low !== 0 || reader.high !== 0) mapping = this.#find(this.#mappings, reader, 'mapping');
          break;
        case LocationField.address:
          reader.varint();
          addressLow = reader.low;
          addressHigh = reader.high;
          break;
        case LocationField.isFolded:
          reader.varint();
          folded = reader.low !== 0 || reader.high !== 0 ? FrameFlag.folded : 0;
          break;
        default:
          reader.skip(tag);
      }
    }
    reader.leave(end);
    const row = this.#row;
    row[FrameColumn.mapping] = mapping < 0 ? 0 : this.#mappingRow(mapping);
    row[FrameColumn.addressLow] = addressLow;
    row[FrameColumn.addressHigh] = addressHigh;
    if (!this.#keepAll) this.#settleAddress(row, mapping, lines);
    this.used++;
    this.#addFrames(location, row, folded, lines);
  }

  #readLine(reader: ProtoReader, index: number): void {
    const end = reader.enter();
    let func = 0;
    let line = 0;
    let column = 0;
    while (reader.at < end) {
      const tag = reader.tag();
      if (tag === LineField.func) {
        reader.varint();
        if (reader.low !== 0 || reader.high !== 0)
          func = this.#functionRow(this.#find(this.#functions, reader, 'function'));
      } else if (tag === LineField.line) line = reader.uint32OrZero();
      else if (tag === LineField.column) column = reader.uint32OrZero();
      else reader.skip(tag);
    }
    reader.leave(end);
    if (index * 3 === this.#lines.length) {
      const next = new Uint32Array(this.#lines.length * 2);
      next.set(this.#lines);
      this.#lines = next;
    }
    this.#lines[index * 3] = func;
    this.#lines[index * 3 + 1] = line;
    this.#lines[index * 3 + 2] = column;
  }

  #find(table: IdTable, reader: ProtoReader, what: string): number {
    const position = table.find(reader.low, reader.high);
    if (position < 0) reader.fail(`${what} id ${BigInt.asUintN(64, reader.signed())} is not there`);
    return position;
  }

  /** See KeepAddresses: forgets the address of named code, counts that of other code from the start of the file. */
  #settleAddress(row: Uint32Array, mapping: number, lines: number): void {
    let named = lines > 0;
    for (let i = 0; i < lines && named; i++) {
      named = this.#into.functions.at(this.#lines[i * 3]!, FunctionColumn.name) !== 0;
    }
    if (named) {
      row[FrameColumn.addressLow] = 0;
      row[FrameColumn.addressHigh] = 0;
    } else if (mapping >= 0) {
      const memory = this.#memory;
      const address = wide(row, FrameColumn.addressLow);
      const start = wide(memory, mapping * 6);
      if (address < start || address >= wide(memory, mapping * 6 + 2)) return;
      const inFile = address - start + wide(memory, mapping * 6 + 4);
      row[FrameColumn.addressLow] = Number(inFile & 0xffff_ffffn);
      row[FrameColumn.addressHigh] = Number((inFile >> 32n) & 0xffff_ffffn);
    }
  }

  /** Interns the frames of a location: outermost line first, callees inlined into it after that. */
  #addFrames(location: number, row: Uint32Array, folded: number, lines: number): void {
    const { frames } = this.#into;
    if (lines <= 1) {
      this.#setLine(row, lines === 0 ? -1 : 0, folded);
      this.frameOf[location] = frames.intern(row) + 1;
      return;
    }
    const run = this.#runs++;
    const from = this.runStarts[run]!;
    const length = Math.min(lines, this.#limits.stackDepthMax);
    this.#reserveRun(from + length);
    for (let i = 0; i < length; i++) {
      this.#setLine(row, lines - 1 - i, folded | (i > 0 ? FrameFlag.inlined : 0));
      this.runFrames[from + i] = frames.intern(row);
    }
    this.runStarts[run + 1] = from + length;
    this.frameOf[location] = -1 - run;
  }

  #setLine(row: Uint32Array, line: number, flags: number): void {
    row[FrameColumn.func] = line < 0 ? 0 : this.#lines[line * 3]!;
    row[FrameColumn.line] = line < 0 ? 0 : this.#lines[line * 3 + 1]!;
    row[FrameColumn.column] = line < 0 ? 0 : this.#lines[line * 3 + 2]!;
    row[FrameColumn.flags] = flags;
  }

  #reserveRun(frames: number): void {
    if (this.#runs + 1 >= this.runStarts.length) {
      const next = new Uint32Array(this.runStarts.length * 2);
      next.set(this.runStarts);
      this.runStarts = next;
    }
    if (frames > this.runFrames.length) {
      const next = new Uint32Array(Math.max(frames, this.runFrames.length * 2));
      next.set(this.runFrames);
      this.runFrames = next;
    }
  }

  #functionRow(func: number): number {
    const known = this.#functionRows[func]!;
    if (known >= 0) return known;
    const reader = this.#innerReader;
    const { starts, ends } = this.#sections.functions;
    const end = ends[func]!;
    reader.at = starts[func]!;
    const row = this.#row;
    row[0] = row[1] = row[2] = row[3] = 0;
    while (reader.at < end) {
      const tag = reader.tag();
      if (tag === FunctionField.name) row[FunctionColumn.name] = this.#string(reader);
      else if (tag === FunctionField.systemName) row[FunctionColumn.systemName] = this.#string(reader);
      else if (tag === FunctionField.filename) row[FunctionColumn.filename] = this.#string(reader);
      else if (tag === FunctionField.startLine) row[FunctionColumn.startLine] = reader.uint32OrZero();
      else reader.skip(tag);
    }
    reader.leave(end);
    return (this.#functionRows[func] = this.#into.functions.intern(row));
  }

  #mappingRow(mapping: number): number {
    const known = this.#mappingRows[mapping]!;
    if (known >= 0) return known;
    const reader = this.#innerReader;
    const { starts, ends } = this.#sections.mappings;
    const end = ends[mapping]!;
    reader.at = starts[mapping]!;
    const row = new Uint32Array(MappingColumn.width);
    while (reader.at < end) this.#readMappingField(reader, row, mapping * 6);
    reader.leave(end);
    if (!this.#keepAll) row.fill(0, MappingColumn.startLow);
    return (this.#mappingRows[mapping] = this.#into.mappings.intern(row));
  }

  #readMappingField(reader: ProtoReader, row: Uint32Array, memory: number): void {
    const tag = reader.tag();
    switch (tag) {
      case MappingField.memoryStart:
        this.#readMemory(reader, row, MappingColumn.startLow, memory);
        break;
      case MappingField.memoryLimit:
        this.#readMemory(reader, row, MappingColumn.limitLow, memory + 2);
        break;
      case MappingField.fileOffset:
        this.#readMemory(reader, row, MappingColumn.offsetLow, memory + 4);
        break;
      case MappingField.filename:
        row[MappingColumn.filename] = this.#string(reader);
        break;
      case MappingField.buildId:
        row[MappingColumn.buildId] = this.#string(reader);
        break;
      case MappingField.hasFunctions:
        this.#readFlag(reader, row, MappingFlag.functions);
        break;
      case MappingField.hasFilenames:
        this.#readFlag(reader, row, MappingFlag.filenames);
        break;
      case MappingField.hasLineNumbers:
        this.#readFlag(reader, row, MappingFlag.lineNumbers);
        break;
      case MappingField.hasInlineFrames:
        this.#readFlag(reader, row, MappingFlag.inlineFrames);
        break;
      default:
        reader.skip(tag);
    }
  }

  #readMemory(reader: ProtoReader, row: Uint32Array, column: number, memory: number): void {
    reader.varint();
    row[column] = reader.low;
    row[column + 1] = reader.high;
    this.#memory[memory] = reader.low;
    this.#memory[memory + 1] = reader.high;
  }

  #readFlag(reader: ProtoReader, row: Uint32Array, flag: number): void {
    reader.varint();
    if (reader.low !== 0 || reader.high !== 0) row[MappingColumn.flags]! |= flag;
  }

  /** Reads a string index and interns what it names. */
  #string(reader: ProtoReader): number {
    const i = reader.index(this.#stringIds.length, 'string index');
    const known = this.#stringIds[i]!;
    if (known >= 0) return known;
    const { starts, ends } = this.#sections.strings;
    const end = ends[i]!;
    let start = starts[i]!;
    if (end - start > this.#limits.stringBytesMax) start = this.#tailStart(end);
    return (this.#stringIds[i] = this.#into.strings.intern(this.#raw, start, end));
  }

  /** Where the kept tail of a long string starts: not inside a UTF-8 sequence. */
  #tailStart(end: number): number {
    let start = end - this.#limits.stringBytesMax;
    for (let i = 0; i < 3 && (this.#raw[start]! & 0xc0) === 0x80; i++) start++;
    return start;
  }
}

/** The unsigned 64-bit number whose halves are at `column` and after it. */
function wide(halves: Uint32Array, column: number): bigint {
  return (BigInt(halves[column + 1]!) << 32n) | BigInt(halves[column]!);
}
