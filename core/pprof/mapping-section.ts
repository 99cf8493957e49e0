import { MappingColumn, MappingFlag } from '../profile/symbol-table.ts';
import type { TupleTable } from '../profile/tuple-table.ts';
import { ProtoReader } from '../wire/proto-reader.ts';
import { emptied } from './emptied.ts';
import { IdTable } from './id-table.ts';
import { MappingField } from './pprof-fields.ts';
import { PPROF, type Ranges } from './pprof-sections.ts';
import type { StringSection } from './string-section.ts';

const NOTHING = new Uint8Array(0);

/** The mappings of one profile, interned when they are first asked for. Serves profile after profile. */
export class MappingSection {
  readonly ids = new IdTable();
  readonly #strings: StringSection;
  #raw: Uint8Array = NOTHING;
  #ranges!: Ranges;
  #into!: TupleTable;
  #keepAll = false;
  /** Per mapping: its row in the table + 1, or 0 while not asked for. */
  #rows: Int32Array = new Int32Array(4);
  /** Per mapping: its row as it came, MappingColumn.width numbers each. */
  #read = new Uint32Array(4 * MappingColumn.width);
  readonly #row = new Uint32Array(MappingColumn.width);

  constructor(strings: StringSection) {
    this.#strings = strings;
  }

  /** @param keepAll keep where mappings were in memory, and not just file and build id */
  reset(raw: Uint8Array, ranges: Ranges, into: TupleTable, keepAll: boolean): void {
    this.#raw = raw;
    this.#ranges = ranges;
    this.#into = into;
    this.#keepAll = keepAll;
    this.ids.index(raw, ranges, 'mapping');
    this.#rows = emptied(this.#rows, ranges.count);
    if (this.#read.length < ranges.count * MappingColumn.width)
      this.#read = new Uint32Array(ranges.count * MappingColumn.width * 2);
  }

  release(): void {
    this.#raw = NOTHING;
    this.#into = undefined!;
  }

  get byteLength(): number {
    return this.ids.byteLength + this.#rows.byteLength + this.#read.byteLength;
  }

  /** The row of mapping number i. */
  row(i: number): number {
    const known = this.#rows[i]!;
    if (known !== 0) return known - 1;
    const row = this.#row.fill(0);
    const reader = new ProtoReader(this.#raw, PPROF, this.#ranges.starts[i]);
    const end = this.#ranges.ends[i]!;
    while (reader.at < end) this.#readField(reader, row);
    reader.leave(end);
    this.#read.set(row, i * MappingColumn.width);
    if (!this.#keepAll) row.fill(0, MappingColumn.startLow);
    const id = this.#into.intern(row);
    this.#rows[i] = id + 1;
    return id;
  }

  /** An address in mapping number i, whose row was asked for, counted from the start of the mapped file. */
  addressInFile(i: number, address: bigint): bigint {
    const at = i * MappingColumn.width;
    const start = wide(this.#read, at + MappingColumn.startLow);
    if (address < start || address >= wide(this.#read, at + MappingColumn.limitLow)) return address;
    return BigInt.asUintN(64, address - start + wide(this.#read, at + MappingColumn.offsetLow));
  }

  #readField(reader: ProtoReader, row: Uint32Array): void {
    const tag = reader.field();
    switch (tag) {
      case MappingField.memoryStart:
        setWide(row, MappingColumn.startLow, reader);
        break;
      case MappingField.memoryLimit:
        setWide(row, MappingColumn.limitLow, reader);
        break;
      case MappingField.fileOffset:
        setWide(row, MappingColumn.offsetLow, reader);
        break;
      case MappingField.filename:
        row[MappingColumn.filename] = this.#strings.id(reader.below(this.#strings.count, 'string index'));
        break;
      case MappingField.buildId:
        row[MappingColumn.buildId] = this.#strings.id(reader.below(this.#strings.count, 'string index'));
        break;
      case MappingField.hasFunctions:
        setFlag(row, MappingFlag.functions, reader);
        break;
      case MappingField.hasFilenames:
        setFlag(row, MappingFlag.filenames, reader);
        break;
      case MappingField.hasLineNumbers:
        setFlag(row, MappingFlag.lineNumbers, reader);
        break;
      case MappingField.hasInlineFrames:
        setFlag(row, MappingFlag.inlineFrames, reader);
        break;
      default:
        reader.skipRest(tag);
    }
  }
}

function setWide(row: Uint32Array, column: number, reader: ProtoReader): void {
  row[column] = reader.low;
  row[column + 1] = reader.high;
}

function setFlag(row: Uint32Array, flag: number, reader: ProtoReader): void {
  if (!reader.isZero) row[MappingColumn.flags]! |= flag;
}

/** The unsigned 64-bit number whose halves are at `column` and after it. */
function wide(halves: Uint32Array, column: number): bigint {
  return (BigInt(halves[column + 1]!) << 32n) | BigInt(halves[column]!);
}
