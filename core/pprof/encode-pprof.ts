import type { ValueType } from '../labels/profile-type.ts';
import { StackTable } from '../profile/stack-table.ts';
import { StringTable } from '../profile/string-table.ts';
import {
  FrameColumn,
  FrameFlag,
  FunctionColumn,
  MappingColumn,
  MappingFlag,
  type Symbols,
} from '../profile/symbol-table.ts';
import { ByteWriter } from '../wire/byte-writer.ts';
import {
  FunctionField,
  LineField,
  LocationField,
  MappingField,
  ProfileField,
  SampleField,
  ValueTypeField,
} from './pprof-fields.ts';

export interface PprofContent {
  readonly symbols: Symbols;
  readonly sampleTypes: readonly ValueType[];
  /** Per sample type: values by stack id, in units of `scale`; may end before the last stack. */
  readonly values: readonly Float64Array[];
  /** Per sample type: real value = value × scale. */
  readonly scale: readonly number[];
  readonly periodType?: ValueType;
  readonly period?: number;
  readonly timeNanos: bigint;
  readonly durationNanos: bigint;
}

const INT64_MAX = (1n << 63n) - 1n;

/**
 * Writes a pprof profile (protobuf, not gzipped) of the stacks that have a value and of the symbols that these reach.
 * Runs of inlined frames become one location again. A value that passes int64 is written as the largest int64, and a
 * comment in the profile says how many did.
 */
export function encodePprof(content: PprofContent): Uint8Array {
  return new PprofWriter(content).write();
}

class PprofWriter {
  readonly #content: PprofContent;
  readonly #out = new ByteWriter(64 * 1024);
  /** A message that is being put together; its lines go through #line. */
  readonly #message = new ByteWriter(4096);
  readonly #packed = new ByteWriter(1024);
  readonly #line = new ByteWriter(64);
  readonly #strings = new StringTable();
  /** A location is a run of frames: its number in this tree is (frames from the outermost to the innermost). */
  readonly #runs = new StackTable();
  /** Per stack: the run at its leaf, and the stack below that run. */
  readonly #runOf: Uint32Array;
  readonly #below: Uint32Array;
  readonly #locations = new Numbering();
  readonly #functions = new Numbering();
  readonly #mappings = new Numbering();
  #saturated = 0;

  constructor(content: PprofContent) {
    this.#content = content;
    this.#runOf = new Uint32Array(content.symbols.stacks.count);
    this.#below = new Uint32Array(content.symbols.stacks.count);
  }

  write(): Uint8Array {
    const { sampleTypes, periodType, period, timeNanos, durationNanos } = this.#content;
    for (const type of sampleTypes) this.#writeValueType(ProfileField.sampleType, type);
    this.#findRuns();
    this.#writeSamples();
    this.#writeLocations();
    this.#writeFunctions();
    this.#writeMappings();
    if (periodType) this.#writeValueType(ProfileField.periodType, periodType);
    const out = this.#out;
    writeBig(out, ProfileField.timeNanos, timeNanos);
    writeBig(out, ProfileField.durationNanos, durationNanos);
    writeNumber(out, ProfileField.period, period ?? 0);
    if (this.#saturated > 0) {
      const comment = `${this.#saturated} values passed int64 and are written as 2^63 - 1`;
      out.varint(ProfileField.comment);
      out.varint(this.#strings.internText(comment));
    }
    this.#writeStrings();
    return out.finish();
  }

  /** Stacks that have a value, with all stacks below them. */
  #reachable(): Uint8Array {
    const { symbols, values } = this.#content;
    const reachable = new Uint8Array(symbols.stacks.count);
    for (const column of values) {
      for (let i = Math.min(column.length, reachable.length) - 1; i > 0; i--)
        if (column[i] !== 0) reachable[i] = 1;
    }
    for (let i = reachable.length - 1; i > 0; i--)
      if (reachable[i]) reachable[symbols.stacks.parents[i]!] = 1;
    return reachable;
  }

  /** An inlined frame joins the run of its caller when both are of one location. Parents come before children. */
  #findRuns(): void {
    const { parents, frames, count } = this.#content.symbols.stacks;
    const reachable = this.#reachable();
    for (let i = 1; i < count; i++) {
      if (!reachable[i]) continue;
      const parent = parents[i]!;
      const frame = frames[i]!;
      const joins = parent !== 0 && this.#isInlinedInto(frame, frames[parent]!);
      this.#runOf[i] = this.#runs.child(joins ? this.#runOf[parent]! : 0, frame);
      this.#below[i] = joins ? this.#below[parent]! : parent;
    }
  }

  #isInlinedInto(frame: number, caller: number): boolean {
    const { rows, width } = this.#content.symbols.frames;
    const at = frame * width;
    const callerAt = caller * width;
    return (
      (rows[at + FrameColumn.flags]! & FrameFlag.inlined) !== 0 &&
      rows[at + FrameColumn.mapping] === rows[callerAt + FrameColumn.mapping] &&
      rows[at + FrameColumn.addressLow] === rows[callerAt + FrameColumn.addressLow] &&
      rows[at + FrameColumn.addressHigh] === rows[callerAt + FrameColumn.addressHigh]
    );
  }

  #writeSamples(): void {
    const { symbols, values } = this.#content;
    for (let stack = 0; stack < symbols.stacks.count; stack++) {
      if (!values.some((column) => stack < column.length && column[stack] !== 0)) continue;
      const message = this.#message;
      message.clear();
      this.#packed.clear();
      for (let at = stack; at !== 0; at = this.#below[at]!) {
        this.#packed.varint(this.#locations.of(this.#runOf[at]!));
      }
      writeBytes(message, SampleField.locationPacked, this.#packed);
      this.#packed.clear();
      for (let t = 0; t < values.length; t++)
        this.#writeValue(values[t]![stack] ?? 0, this.#content.scale[t]!);
      writeBytes(message, SampleField.valuePacked, this.#packed);
      writeBytes(this.#out, ProfileField.sample, message);
    }
  }

  #writeValue(value: number, scale: number): void {
    const product = value * scale;
    if (product <= Number.MAX_SAFE_INTEGER) {
      this.#packed.varint(product);
      return;
    }
    const exact = BigInt(value) * BigInt(scale);
    if (exact > INT64_MAX) this.#saturated++;
    this.#packed.bigVarint(exact > INT64_MAX ? INT64_MAX : exact);
  }

  #writeLocations(): void {
    const { frames } = this.#content.symbols;
    const message = this.#message;
    for (let id = 1; id <= this.#locations.count; id++) {
      const innermost = this.#locations.at(id);
      const row = this.#runs.frames[innermost]! * frames.width;
      const { rows } = frames;
      message.clear();
      writeNumber(message, LocationField.id, id);
      writeNumber(message, LocationField.mapping, this.#mappings.of(rows[row + FrameColumn.mapping]!));
      const low = rows[row + FrameColumn.addressLow]!;
      const high = rows[row + FrameColumn.addressHigh]!;
      if (low !== 0 || high !== 0) {
        message.varint(LocationField.address);
        message.varint64(low, high);
      }
      for (let run = innermost; run !== 0; run = this.#runs.parents[run]!)
        this.#writeLine(this.#runs.frames[run]!);
      writeNumber(message, LocationField.isFolded, rows[row + FrameColumn.flags]! & FrameFlag.folded ? 1 : 0);
      writeBytes(this.#out, ProfileField.location, message);
    }
  }

  /** A frame that names nothing is a location without lines. */
  #writeLine(frame: number): void {
    const { rows, width } = this.#content.symbols.frames;
    const at = frame * width;
    const func = rows[at + FrameColumn.func]!;
    const isInlined = (rows[at + FrameColumn.flags]! & FrameFlag.inlined) !== 0;
    const line = rows[at + FrameColumn.line]!;
    const column = rows[at + FrameColumn.column]!;
    if (func === 0 && line === 0 && column === 0 && !isInlined) return;
    this.#line.clear();
    writeNumber(this.#line, LineField.func, this.#functions.of(func));
    writeNumber(this.#line, LineField.line, line);
    writeNumber(this.#line, LineField.column, column);
    writeBytes(this.#message, LocationField.line, this.#line);
  }

  #writeFunctions(): void {
    const { rows, width } = this.#content.symbols.functions;
    const message = this.#message;
    for (let id = 1; id <= this.#functions.count; id++) {
      const at = this.#functions.at(id) * width;
      message.clear();
      writeNumber(message, FunctionField.id, id);
      writeNumber(message, FunctionField.name, this.#string(rows[at + FunctionColumn.name]!));
      writeNumber(message, FunctionField.systemName, this.#string(rows[at + FunctionColumn.systemName]!));
      writeNumber(message, FunctionField.filename, this.#string(rows[at + FunctionColumn.filename]!));
      writeNumber(message, FunctionField.startLine, rows[at + FunctionColumn.startLine]!);
      writeBytes(this.#out, ProfileField.func, message);
    }
  }

  #writeMappings(): void {
    const { rows, width } = this.#content.symbols.mappings;
    const message = this.#message;
    for (let id = 1; id <= this.#mappings.count; id++) {
      const at = this.#mappings.at(id) * width;
      const flags = rows[at + MappingColumn.flags]!;
      message.clear();
      writeNumber(message, MappingField.id, id);
      writeHalves(message, MappingField.memoryStart, rows, at + MappingColumn.startLow);
      writeHalves(message, MappingField.memoryLimit, rows, at + MappingColumn.limitLow);
      writeHalves(message, MappingField.fileOffset, rows, at + MappingColumn.offsetLow);
      writeNumber(message, MappingField.filename, this.#string(rows[at + MappingColumn.filename]!));
      writeNumber(message, MappingField.buildId, this.#string(rows[at + MappingColumn.buildId]!));
      writeNumber(message, MappingField.hasFunctions, flags & MappingFlag.functions);
      writeNumber(message, MappingField.hasFilenames, flags & MappingFlag.filenames ? 1 : 0);
      writeNumber(message, MappingField.hasLineNumbers, flags & MappingFlag.lineNumbers ? 1 : 0);
      writeNumber(message, MappingField.hasInlineFrames, flags & MappingFlag.inlineFrames ? 1 : 0);
      writeBytes(this.#out, ProfileField.mapping, message);
    }
  }

  #writeValueType(tag: number, { type, unit }: ValueType): void {
    this.#message.clear();
    writeNumber(this.#message, ValueTypeField.type, this.#strings.internText(type));
    writeNumber(this.#message, ValueTypeField.unit, this.#strings.internText(unit));
    writeBytes(this.#out, tag, this.#message);
  }

  /** Protobuf strings must be UTF-8, and strict readers refuse the whole profile over one that is not. */
  #string(id: number): number {
    const { bytes, starts } = this.#content.symbols.strings;
    const end = starts[id + 1]!;
    for (let i = starts[id]!; i < end; i++) {
      if (bytes[i]! > 127) return this.#strings.internText(this.#content.symbols.strings.text(id));
    }
    return this.#strings.intern(bytes, starts[id]!, end);
  }

  #writeStrings(): void {
    const { count, bytes, starts } = this.#strings;
    for (let i = 0; i < count; i++) {
      this.#out.varint(ProfileField.stringTable);
      this.#out.varint(starts[i + 1]! - starts[i]!);
      this.#out.bytes(bytes.subarray(starts[i], starts[i + 1]));
    }
  }
}

/** Gives rows of a table the ids 1, 2, 3, … in order of first use; row 0, "not set", is 0. */
class Numbering {
  readonly #ids = new Map<number, number>();
  readonly #rows: number[] = [];

  get count(): number {
    return this.#rows.length;
  }

  of(row: number): number {
    if (row === 0) return 0;
    let id = this.#ids.get(row);
    if (id === undefined) this.#ids.set(row, (id = this.#rows.push(row)));
    return id;
  }

  at(id: number): number {
    return this.#rows[id - 1]!;
  }
}

/** Protobuf leaves fields out that are 0. */
function writeNumber(out: ByteWriter, tag: number, value: number): void {
  if (value === 0) return;
  out.varint(tag);
  out.varint(value);
}

function writeBig(out: ByteWriter, tag: number, value: bigint): void {
  if (value === 0n) return;
  out.varint(tag);
  out.bigVarint(BigInt.asUintN(64, value));
}

function writeHalves(out: ByteWriter, tag: number, rows: Uint32Array, at: number): void {
  if (rows[at] === 0 && rows[at + 1] === 0) return;
  out.varint(tag);
  out.varint64(rows[at]!, rows[at + 1]!);
}

function writeBytes(out: ByteWriter, tag: number, content: ByteWriter): void {
  out.varint(tag);
  out.varint(content.length);
  out.bytes(content.view());
}
