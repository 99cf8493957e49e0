import { MalformedInputError } from '../errors.ts';
import { FrameColumn, FrameFlag, type SymbolTable } from '../profile/symbol-table.ts';
import { ProtoReader } from '../wire/proto-reader.ts';
import { afterVarint, shortVarint } from '../wire/short-varint.ts';
import { emptied } from './emptied.ts';
import { FunctionSection } from './function-section.ts';
import { IdTable } from './id-table.ts';
import { MappingSection } from './mapping-section.ts';
import { LineField, LocationField } from './pprof-fields.ts';
import type { PprofLimits } from './pprof-limits.ts';
import { PPROF, type PprofSections } from './pprof-sections.ts';
import { StringSection } from './string-section.ts';

/**
 * What becomes of addresses.
 * - `all` keeps mappings and addresses as they came: encoding again gives the same profile.
 * - `unsymbolized` keeps what can still be looked up: a location whose lines are all named loses its address, another
 *   one has it counted from the start of its file, and mappings keep only file and build id. Without that, the random
 *   load address of every process would make all its stacks new.
 */
export type KeepAddresses = 'all' | 'unsymbolized';

const NOTHING = new Uint8Array(0);
/** Longest varint, in bytes. */
const VARINT_MAX = 10;

/**
 * The locations of one profile, and what they refer to. Each becomes frames when a sample first uses it, so that what
 * no sample reaches costs next to nothing and never gets into the symbol table. Serves profile after profile.
 */
export class LocationSection {
  readonly strings = new StringSection();
  readonly ids = new IdTable();
  /** Distinct locations that samples used. */
  used = 0;
  /** By location id, where ids are dense: what frameOfId answers, or 0 while not asked. */
  frameById: Int32Array = new Int32Array(64);
  /** Run r is runFrames[runStarts[r]..runStarts[r+1]), outermost frame first. */
  runStarts = new Int32Array(16);
  runFrames = new Int32Array(64);
  #runs = 0;
  readonly #functions = new FunctionSection(this.strings);
  readonly #mappings = new MappingSection(this.strings);
  /** Per location: 0 while not read; frame + 1 when it is one frame; -1 − r when it is the run r of several. */
  #frameOf: Int32Array = new Int32Array(64);
  #raw: Uint8Array = NOTHING;
  #sections!: PprofSections;
  #into!: SymbolTable;
  #reader = new ProtoReader(NOTHING, PPROF);
  #stackDepthMax = 0;
  #keepAll = false;
  readonly #row = new Uint32Array(FrameColumn.width);
  /** Lines of the location being read, innermost first, three numbers each: function row, line, column. */
  #lines = new Int32Array(48);
  #lineCount = 0;

  /** Starts on the next profile. */
  reset(
    raw: Uint8Array,
    sections: PprofSections,
    into: SymbolTable,
    limits: PprofLimits,
    keep: KeepAddresses,
  ): void {
    this.#raw = raw;
    this.#sections = sections;
    this.#into = into;
    this.#stackDepthMax = limits.stackDepthMax;
    this.#keepAll = keep === 'all';
    this.#reader = new ProtoReader(raw, PPROF);
    this.used = 0;
    this.#runs = 0;
    this.strings.reset(raw, sections.strings, into.strings, limits.stringBytesMax);
    this.#functions.reset(raw, sections.functions, into.functions);
    this.#mappings.reset(raw, sections.mappings, into.mappings, this.#keepAll);
    this.ids.index(raw, sections.locations, 'location');
    this.#frameOf = emptied(this.#frameOf, sections.locations.count);
    this.frameById = emptied(this.frameById, this.ids.denseCount);
  }

  /** Forgets the profile, but keeps the columns for the next. */
  release(): void {
    this.#raw = NOTHING;
    this.#into = undefined!;
    this.#reader = new ProtoReader(NOTHING, PPROF);
    this.strings.release();
    this.#functions.release();
    this.#mappings.release();
  }

  get byteLength(): number {
    let sum = this.strings.byteLength + this.#functions.byteLength + this.#mappings.byteLength;
    const columns = [this.frameById, this.#frameOf, this.runStarts, this.runFrames, this.#lines];
    for (const column of columns) sum += column.byteLength;
    return sum + this.ids.byteLength;
  }

  /** The location with this id, which was read before byte `at`: its frame + 1, or -1 − r when it is the run r of several. */
  frameOfId(low: number, high: number, at: number): number {
    const location = this.ids.find(low, high);
    if (location < 0) throw missing('location', low, high, at);
    let frame = this.#frameOf[location]!;
    if (frame === 0) {
      if (!this.#readUsual(location)) this.#read(location);
      this.used++;
      frame = this.#addFrames();
      this.#frameOf[location] = frame;
    }
    if (high === 0 && low < this.ids.denseCount) this.frameById[low] = frame;
    return frame;
  }

  #find(table: IdTable, reader: ProtoReader, what: string): number {
    const position = table.find(reader.low, reader.high);
    if (position < 0) throw missing(what, reader.low, reader.high, reader.at);
    return position;
  }

  /**
   * Reads a location with short numbers whose fields come in the order that nearly all writers leave them in: by number,
   * or with the mapping last.
   */
  #readUsual(location: number): boolean {
    const raw = this.#raw;
    const end = this.#sections.locations.ends[location]!;
    let at = this.#sections.locations.starts[location]!;
    this.#lineCount = 0;
    let mapping = -1;
    let addressAt = -1;
    if (raw[at] === LocationField.id) at = afterVarint(raw, at + 1);
    if (raw[at] === LocationField.mapping && at < end) {
      mapping = this.#usualMapping(at + 1);
      if (mapping < 0) return false;
      at = afterVarint(raw, at + 1);
    }
    if (raw[at] === LocationField.address && at < end) {
      addressAt = at + 1;
      at = afterVarint(raw, addressAt);
      if (at - addressAt > VARINT_MAX) return false;
    }
    while (raw[at] === LocationField.line && at < end) {
      const lineEnd = at + 2 + raw[at + 1]!;
      if (!this.#readUsualLine(at + 2, lineEnd)) return false;
      at = lineEnd;
    }
    if (raw[at] === LocationField.mapping && at < end && mapping < 0) {
      mapping = this.#usualMapping(at + 1);
      if (mapping < 0) return false;
      at = afterVarint(raw, at + 1);
    }
    if (at !== end) return false;
    this.#setPlace(mapping, addressAt);
    this.#row[FrameColumn.flags] = 0;
    return true;
  }

  /** The mapping whose id is at raw[at], or -1. */
  #usualMapping(at: number): number {
    const id = shortVarint(this.#raw, at) >>> 2;
    return id === 0 ? -1 : this.#mappings.ids.find(id, 0);
  }

  #readUsualLine(start: number, end: number): boolean {
    const raw = this.#raw;
    let at = start;
    let func = 1;
    if (raw[at] === LineField.func && at < end) {
      func = shortVarint(raw, at + 1);
      at += 1 + (func & 3);
    }
    let line = 1;
    if (raw[at] === LineField.line && at < end) {
      line = shortVarint(raw, at + 1);
      at += 1 + (line & 3);
    }
    if (at !== end || func <= 3 || line === 0) return false;
    const position = this.#functions.ids.find(func >>> 2, 0);
    if (position < 0) return false;
    this.#addLine(this.#functions.row(position), line >>> 2, 0);
    return true;
  }

  /** Reads any location, and says what is wrong with one that is broken. */
  #read(location: number): void {
    const reader = this.#reader;
    const { starts, ends } = this.#sections.locations;
    const end = ends[location]!;
    reader.at = starts[location]!;
    this.#lineCount = 0;
    let mapping = -1;
    let addressAt = -1;
    let folded = 0;
    while (reader.at < end) {
      const before = reader.at;
      const tag = reader.field();
      if (tag === LocationField.line) this.#readLine(reader);
      else if (tag === LocationField.mapping)
        mapping = reader.isZero ? -1 : this.#find(this.#mappings.ids, reader, 'mapping');
      else if (tag === LocationField.address) addressAt = before + 1;
      else if (tag === LocationField.isFolded) folded = reader.isZero ? 0 : FrameFlag.folded;
      else reader.skipRest(tag);
    }
    reader.leave(end);
    this.#setPlace(mapping, addressAt);
    this.#row[FrameColumn.flags] = folded;
  }

  #readLine(reader: ProtoReader): void {
    const end = reader.enter();
    let func = 0;
    let line = 0;
    let column = 0;
    while (reader.at < end) {
      const tag = reader.field();
      if (tag === LineField.func)
        func = reader.isZero ? 0 : this.#functions.row(this.#find(this.#functions.ids, reader, 'function'));
      else if (tag === LineField.line) line = reader.lastUint32OrZero;
      else if (tag === LineField.column) column = reader.lastUint32OrZero;
      else reader.skipRest(tag);
    }
    reader.leave(end);
    this.#addLine(func, line, column);
  }

  #addLine(func: number, line: number, column: number): void {
    const at = this.#lineCount++ * 3;
    if (at === this.#lines.length) {
      const next = new Int32Array(at * 2);
      next.set(this.#lines);
      this.#lines = next;
    }
    this.#lines[at] = func;
    this.#lines[at + 1] = line;
    this.#lines[at + 2] = column;
  }

  /** Fills in mapping and address; see KeepAddresses for what is left of the address. */
  #setPlace(mapping: number, addressAt: number): void {
    const row = this.#row;
    row[FrameColumn.mapping] = mapping < 0 ? 0 : this.#mappings.row(mapping);
    row[FrameColumn.addressLow] = row[FrameColumn.addressHigh] = 0;
    if (addressAt < 0 || (!this.#keepAll && this.#isNamed())) return;
    const reader = this.#reader;
    reader.at = addressAt;
    reader.varint();
    row[FrameColumn.addressLow] = reader.low;
    row[FrameColumn.addressHigh] = reader.high;
    if (this.#keepAll || mapping < 0) return;
    const address = this.#mappings.addressInFile(mapping, BigInt.asUintN(64, reader.signed()));
    row[FrameColumn.addressLow] = Number(address & 0xffff_ffffn);
    row[FrameColumn.addressHigh] = Number(address >> 32n);
  }

  #isNamed(): boolean {
    for (let i = 0; i < this.#lineCount; i++) if (!this.#functions.isNamed(this.#lines[i * 3]!)) return false;
    return this.#lineCount > 0;
  }

  /** Interns the frames of the location that was read: outermost line first, callees inlined into it after that. */
  #addFrames(): number {
    const { frames } = this.#into;
    const row = this.#row;
    const lines = this.#lines;
    if (this.#lineCount <= 1) {
      const isThere = this.#lineCount === 1;
      row[FrameColumn.func] = isThere ? lines[0]! : 0;
      row[FrameColumn.line] = isThere ? lines[1]! : 0;
      row[FrameColumn.column] = isThere ? lines[2]! : 0;
      return frames.intern(row) + 1;
    }
    const run = this.#runs++;
    const from = this.runStarts[run]!;
    const length = Math.min(this.#lineCount, this.#stackDepthMax);
    this.#reserveRun(from + length);
    for (let i = 0; i < length; i++) {
      const at = (this.#lineCount - 1 - i) * 3;
      row[FrameColumn.func] = lines[at]!;
      row[FrameColumn.line] = lines[at + 1]!;
      row[FrameColumn.column] = lines[at + 2]!;
      if (i === 1) row[FrameColumn.flags]! |= FrameFlag.inlined;
      this.runFrames[from + i] = frames.intern(row);
    }
    this.runStarts[run + 1] = from + length;
    return -1 - run;
  }

  #reserveRun(frames: number): void {
    if (this.#runs + 1 >= this.runStarts.length) {
      const next = new Int32Array(this.runStarts.length * 2);
      next.set(this.runStarts);
      this.runStarts = next;
    }
    if (frames > this.runFrames.length) {
      const next = new Int32Array(Math.max(frames, this.runFrames.length * 2));
      next.set(this.runFrames);
      this.runFrames = next;
    }
  }
}

function missing(what: string, low: number, high: number, at: number): MalformedInputError {
  const id = (BigInt(high) << 32n) | BigInt(low);
  return new MalformedInputError(PPROF, `${what} id ${id} is not there`, at);
}
