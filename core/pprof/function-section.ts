import { FunctionColumn } from '../profile/symbol-table.ts';
import type { TupleTable } from '../profile/tuple-table.ts';
import { ProtoReader } from '../wire/proto-reader.ts';
import { afterVarint, shortVarint } from '../wire/short-varint.ts';
import { emptied } from './emptied.ts';
import { IdTable } from './id-table.ts';
import { FunctionField } from './pprof-fields.ts';
import { PPROF, type Ranges } from './pprof-sections.ts';
import type { StringSection } from './string-section.ts';

const NOTHING = new Uint8Array(0);

/** The functions of one profile, interned when they are first asked for. Serves profile after profile. */
export class FunctionSection {
  readonly ids = new IdTable();
  readonly #strings: StringSection;
  #raw: Uint8Array = NOTHING;
  #ranges!: Ranges;
  #into!: TupleTable;
  /** Per function: its row in the table + 1, or 0 while not asked for. */
  #rows: Int32Array = new Int32Array(64);
  readonly #row = new Uint32Array(FunctionColumn.width);

  constructor(strings: StringSection) {
    this.#strings = strings;
  }

  reset(raw: Uint8Array, ranges: Ranges, into: TupleTable): void {
    this.#raw = raw;
    this.#ranges = ranges;
    this.#into = into;
    this.ids.index(raw, ranges, 'function');
    this.#rows = emptied(this.#rows, ranges.count);
  }

  release(): void {
    this.#raw = NOTHING;
    this.#into = undefined!;
  }

  get byteLength(): number {
    return this.ids.byteLength + this.#rows.byteLength;
  }

  /** The row of function number i. */
  row(i: number): number {
    const known = this.#rows[i]!;
    if (known !== 0) return known - 1;
    if (!this.#readUsual(i)) this.#read(i);
    const row = this.#into.intern(this.#row);
    this.#rows[i] = row + 1;
    return row;
  }

  isNamed(row: number): boolean {
    return this.#into.rows[Math.imul(row, FunctionColumn.width) + FunctionColumn.name] !== 0;
  }

  /** Reads a function whose fields come in order and have short numbers, as nearly all writers leave them. */
  #readUsual(i: number): boolean {
    const raw = this.#raw;
    const row = this.#row;
    const end = this.#ranges.ends[i]!;
    let at = this.#ranges.starts[i]!;
    row[FunctionColumn.name] = row[FunctionColumn.systemName] = 0;
    row[FunctionColumn.filename] = row[FunctionColumn.startLine] = 0;
    if (raw[at] === FunctionField.id) at = afterVarint(raw, at + 1);
    let name = 1;
    if (raw[at] === FunctionField.name) {
      name = shortVarint(raw, at + 1);
      at += 1 + (name & 3);
      row[FunctionColumn.name] = this.#strings.id(name >>> 2);
    }
    let systemName = 1;
    if (raw[at] === FunctionField.systemName && at < end) {
      systemName = shortVarint(raw, at + 1);
      at += 1 + (systemName & 3);
      row[FunctionColumn.systemName] = this.#strings.id(systemName >>> 2);
    }
    let filename = 1;
    if (raw[at] === FunctionField.filename && at < end) {
      filename = shortVarint(raw, at + 1);
      at += 1 + (filename & 3);
      row[FunctionColumn.filename] = this.#strings.id(filename >>> 2);
    }
    let startLine = 1;
    if (raw[at] === FunctionField.startLine && at < end) {
      startLine = shortVarint(raw, at + 1);
      at += 1 + (startLine & 3);
      row[FunctionColumn.startLine] = startLine >>> 2;
    }
    return at === end && name !== 0 && systemName !== 0 && filename !== 0 && startLine !== 0;
  }

  #read(i: number): void {
    const reader = new ProtoReader(this.#raw, PPROF, this.#ranges.starts[i]);
    const end = this.#ranges.ends[i]!;
    const row = this.#row.fill(0);
    const { count } = this.#strings;
    while (reader.at < end) {
      const tag = reader.field();
      if (tag === FunctionField.name)
        row[FunctionColumn.name] = this.#strings.id(reader.below(count, 'string index'));
      else if (tag === FunctionField.systemName)
        row[FunctionColumn.systemName] = this.#strings.id(reader.below(count, 'string index'));
      else if (tag === FunctionField.filename)
        row[FunctionColumn.filename] = this.#strings.id(reader.below(count, 'string index'));
      else if (tag === FunctionField.startLine) row[FunctionColumn.startLine] = reader.lastUint32OrZero;
      else reader.skipRest(tag);
    }
    reader.leave(end);
  }
}
