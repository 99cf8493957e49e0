import { limitExceeded } from '../errors.ts';
import { FrameKind } from '../flamegraph/call-tree.ts';
import {
  FRAME_KIND_SHIFT,
  FrameColumn,
  FrameFlag,
  FunctionColumn,
  MappingColumn,
  type SymbolTable,
} from '../profile/symbol-table.ts';
import { truncatedFrame } from '../profile/truncated-frame.ts';
import { ProtoReader, WireType } from '../wire/proto-reader.ts';
import { type AttributeValue, OTLP, readAttribute } from './otlp-attributes.ts';

// The dictionary that all profiles of one request share. Pass one records where every table entry lies; entries are
// read when a sample first needs them, and then remembered, once per symbol table they are read into.

/** Most entries of any table of one request. */
export const OTLP_TABLE_MAX = 1_000_000;
/** Longest name that is kept, in bytes; a longer one keeps its tail. */
const STRING_BYTES_MAX = 65_535;

const FIELD = {
  mappings: 1,
  locations: 2,
  functions: 3,
  links: 4,
  strings: 5,
  attributes: 6,
  stacks: 7,
} as const;

const KIND_OF: Readonly<Record<string, FrameKind>> = {
  __proto__: null as never,
  native: FrameKind.native,
  go: FrameKind.native,
  kernel: FrameKind.kernel,
  jit: FrameKind.jit,
  jvm: FrameKind.interpreted,
  cpython: FrameKind.interpreted,
  v8js: FrameKind.interpreted,
  ruby: FrameKind.interpreted,
  php: FrameKind.interpreted,
  perl: FrameKind.interpreted,
  dotnet: FrameKind.interpreted,
  beam: FrameKind.interpreted,
  luajit: FrameKind.interpreted,
  'abort-marker': FrameKind.marker,
};

/** Byte ranges of the entries of one table: entry i is [starts[i], ends[i]). */
class EntryRanges {
  readonly starts: number[] = [];
  readonly ends: number[] = [];

  add(reader: ProtoReader): void {
    if (this.starts.length >= OTLP_TABLE_MAX) reader.fail(`a table has more than ${OTLP_TABLE_MAX} entries`);
    const end = reader.enter();
    this.starts.push(reader.at);
    this.ends.push(end);
    reader.at = end;
  }

  get count(): number {
    return this.starts.length;
  }
}

export class OtlpDictionary {
  readonly #bytes: Uint8Array;
  readonly #tables = new Map<number, EntryRanges>();
  readonly #texts: (string | undefined)[] = [];
  readonly #attributes: ([string, AttributeValue | undefined] | undefined)[] = [];

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    for (const field of Object.values(FIELD)) this.#tables.set(field, new EntryRanges());
  }

  /** Adds the tables of one ProfilesDictionary message in [reader.at, end). */
  addTables(reader: ProtoReader, end: number): void {
    while (reader.at < end) {
      const tag = reader.tag();
      const table = (tag & 7) === WireType.bytes ? this.#tables.get(tag >>> 3) : undefined;
      if (table === undefined) reader.skip(tag);
      else table.add(reader);
    }
    reader.leave(end);
  }

  get stackCount(): number {
    return this.#tables.get(FIELD.stacks)!.count;
  }

  text(index: number): string {
    // Index 0 means "not set", and a table that nobody refers to may be missing.
    if (index === 0) return '';
    return (this.#texts[index] ??= new TextDecoder().decode(this.#stringBytes(index)));
  }

  attribute(index: number): readonly [string, AttributeValue | undefined] {
    return (this.#attributes[index] ??= this.#readAttribute(index));
  }

  #readAttribute(index: number): [string, AttributeValue | undefined] {
    const reader = this.entry(FIELD.attributes, index);
    return readAttribute(reader, reader.end, (text) => this.text(text));
  }

  #stringBytes(index: number): Uint8Array {
    const { at, end } = this.entry(FIELD.strings, index);
    return this.#bytes.subarray(Math.max(at, end - STRING_BYTES_MAX), end);
  }

  /** A reader over entry `index` of a table. @throws MalformedInputError when there is no such entry */
  entry(field: number, index: number): ProtoReader {
    const table = this.#tables.get(field)!;
    const start = table.starts[index];
    if (start === undefined) {
      new ProtoReader(this.#bytes, OTLP).fail(
        `refers to entry ${index} of table ${field}, which has ${table.count}`,
      );
    }
    return new ProtoReader(this.#bytes, OTLP, start, table.ends[index]!);
  }

  /** Interns string `index` into a symbol table. */
  internString(index: number, into: SymbolTable): number {
    if (index === 0) return 0;
    const bytes = this.#stringBytes(index);
    return into.strings.intern(bytes, 0, bytes.length);
  }
}

/** Frames of one stack that are kept; deeper ones keep the frames at their root and end in a "[truncated]" leaf. */
export const OTLP_DEPTH_MAX = 1024;
/** Frames of all stacks of one request, after locations with several lines are unfolded: bounds time and memory. */
export const OTLP_FRAMES_MAX = 10_000_000;

/** The dictionary as seen from one symbol table: what was interned there is remembered by index. */
export class OtlpSymbols {
  readonly #dictionary: OtlpDictionary;
  readonly #into: SymbolTable;
  readonly #stacks = new Map<number, number>();
  /** Per location: its frames, outermost first. */
  readonly #locations = new Map<number, Uint32Array>();
  #frames = 0;
  readonly #functions = new Map<number, number>();
  readonly #mappings = new Map<number, number>();

  constructor(dictionary: OtlpDictionary, into: SymbolTable) {
    this.#dictionary = dictionary;
    this.#into = into;
  }

  /** The stack `index` of the dictionary in the symbol table. */
  stack(index: number): number {
    let stack = this.#stacks.get(index);
    if (stack === undefined) this.#stacks.set(index, (stack = index === 0 ? 0 : this.#readStack(index)));
    return stack;
  }

  #readStack(index: number): number {
    const locations = readIndices(this.#dictionary.entry(FIELD.stacks, index), 1);
    const { stacks } = this.#into;
    let stack = 0;
    let depth = 0;
    for (let i = locations.length - 1; i >= 0; i--) {
      for (const frame of this.#location(locations[i]!)) {
        if (depth++ === OTLP_DEPTH_MAX) {
          this.#countFrames(depth);
          return stacks.child(stacks.parents[stack]!, truncatedFrame(this.#into));
        }
        stack = stacks.child(stack, frame);
      }
    }
    this.#countFrames(depth);
    return stack;
  }

  #countFrames(more: number): void {
    this.#frames += more;
    if (this.#frames > OTLP_FRAMES_MAX)
      throw limitExceeded({ name: 'otlp_frames_max', value: OTLP_FRAMES_MAX, unit: 'frames' }, this.#frames);
  }

  #location(index: number): Uint32Array {
    let frames = this.#locations.get(index);
    if (frames === undefined) this.#locations.set(index, (frames = this.#readLocation(index)));
    return frames;
  }

  /** Location {1 mapping, 2 address, 3 lines*, 4 attributes}: a frame per line, the last line being the outermost. */
  #readLocation(index: number): Uint32Array {
    const reader = this.#dictionary.entry(FIELD.locations, index);
    const row = new Uint32Array(FrameColumn.width);
    const lines: [func: number, line: number, column: number][] = [];
    let kind: number = FrameKind.unknown;
    while (reader.at < reader.end) {
      const tag = reader.tag();
      if (tag === ((1 << 3) | WireType.varint)) row[FrameColumn.mapping] = this.#mapping(reader.uint());
      else if (tag === ((2 << 3) | WireType.varint)) {
        reader.varint();
        row[FrameColumn.addressLow] = reader.low;
        row[FrameColumn.addressHigh] = reader.high;
      } else if (tag === ((3 << 3) | WireType.bytes)) lines.push(this.#line(reader));
      else if (isIndices(tag, 4))
        for (const at of readIndicesField(reader, tag)) kind = this.#kindOf(at) ?? kind;
      else reader.skip(tag);
    }
    const named = lines.filter(([func]) => func !== 0);
    if (named.length > 0) row[FrameColumn.addressLow] = row[FrameColumn.addressHigh] = 0;
    row[FrameColumn.flags] = kind << FRAME_KIND_SHIFT;
    if (named.length === 0) return Uint32Array.of(this.#into.frames.intern(row));
    return Uint32Array.from(named.reverse(), ([func, line, column], depth) => {
      row[FrameColumn.func] = func;
      row[FrameColumn.line] = line;
      row[FrameColumn.column] = column;
      row[FrameColumn.flags] = (kind << FRAME_KIND_SHIFT) | (depth > 0 ? FrameFlag.inlined : 0);
      return this.#into.frames.intern(row);
    });
  }

  #kindOf(attribute: number): FrameKind | undefined {
    const [key, value] = this.#dictionary.attribute(attribute);
    return key === 'profile.frame.type' ? KIND_OF[String(value)] : undefined;
  }

  /** Line {1 function, 2 line, 3 column}. */
  #line(reader: ProtoReader): [number, number, number] {
    const end = reader.enter();
    const line: [number, number, number] = [0, 0, 0];
    while (reader.at < end) {
      const tag = reader.tag();
      if (tag === ((1 << 3) | WireType.varint)) line[0] = this.#function(reader.uint());
      else if (tag === ((2 << 3) | WireType.varint)) line[1] = reader.uint32OrZero();
      else if (tag === ((3 << 3) | WireType.varint)) line[2] = reader.uint32OrZero();
      else reader.skip(tag);
    }
    reader.leave(end);
    return line;
  }

  #function(index: number): number {
    if (index === 0) return 0;
    let func = this.#functions.get(index);
    if (func === undefined) this.#functions.set(index, (func = this.#readFunction(index)));
    return func;
  }

  /** Function {1 name, 2 system name, 3 file name, 4 start line}. */
  #readFunction(index: number): number {
    const reader = this.#dictionary.entry(FIELD.functions, index);
    const row = new Uint32Array(FunctionColumn.width);
    while (reader.at < reader.end) {
      const tag = reader.tag();
      const field = tag >>> 3;
      if ((tag & 7) !== WireType.varint || field > 4) reader.skip(tag);
      else if (field === 4) row[FunctionColumn.startLine] = reader.uint32OrZero();
      else row[field - 1] = this.#dictionary.internString(reader.uint(), this.#into);
    }
    return this.#into.functions.intern(row);
  }

  #mapping(index: number): number {
    if (index === 0) return 0;
    let mapping = this.#mappings.get(index);
    if (mapping === undefined) this.#mappings.set(index, (mapping = this.#readMapping(index)));
    return mapping;
  }

  /** Mapping {1 start, 2 limit, 3 offset, 4 file name, 5 attributes}: only file and build id, as addresses are the file's own. */
  #readMapping(index: number): number {
    const reader = this.#dictionary.entry(FIELD.mappings, index);
    const row = new Uint32Array(MappingColumn.width);
    const buildIds = new Map<string, string>();
    while (reader.at < reader.end) {
      const tag = reader.tag();
      if (tag === ((4 << 3) | WireType.varint)) {
        row[MappingColumn.filename] = this.#dictionary.internString(reader.uint(), this.#into);
      } else if (isIndices(tag, 5)) {
        for (const at of readIndicesField(reader, tag)) {
          const [key, value] = this.#dictionary.attribute(at);
          if (key.startsWith('process.executable.build_id.')) buildIds.set(key, String(value));
        }
      } else reader.skip(tag);
    }
    const best = ['gnu', 'go', 'htlhash']
      .map((kind) => buildIds.get(`process.executable.build_id.${kind}`))
      .find(Boolean);
    row[MappingColumn.buildId] = this.#into.strings.internText(best ?? '');
    return this.#into.mappings.intern(row);
  }
}

/** Whether a tag is a repeated int32 of this field, packed or not. */
export function isIndices(tag: number, field: number): boolean {
  return tag === ((field << 3) | WireType.bytes) || tag === ((field << 3) | WireType.varint);
}

/** Reads one occurrence of a repeated int32: a packed run, or a single number. */
export function readIndicesField(reader: ProtoReader, tag: number): number[] {
  if ((tag & 7) === WireType.varint) return [reader.uint()];
  const end = reader.enter();
  const indices: number[] = [];
  while (reader.at < end) indices.push(reader.uint());
  reader.leave(end);
  return indices;
}

function readIndices(reader: ProtoReader, field: number): number[] {
  const indices: number[] = [];
  while (reader.at < reader.end) {
    const tag = reader.tag();
    if (isIndices(tag, field)) for (const index of readIndicesField(reader, tag)) indices.push(index);
    else reader.skip(tag);
  }
  return indices;
}
