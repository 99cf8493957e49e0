import { MalformedInputError } from '../errors.ts';
import { StringTable } from '../profile/string-table.ts';
import { emptied } from './emptied.ts';
import { PPROF, type Ranges } from './pprof-sections.ts';

const decoder = new TextDecoder();
const NOTHING = new Uint8Array(0);
const KNOWN_LENGTH_MAX = 64;
const KNOWN_MAX = 1000;

/** The strings of one profile, interned when they are first asked for. Serves profile after profile. */
export class StringSection {
  #raw: Uint8Array = NOTHING;
  #ranges!: Ranges;
  #into: StringTable | undefined;
  #bytesMax = 0;
  /** Short texts of this and earlier profiles: types, units and label names are nearly always the same few. */
  #known = new StringTable();
  /** Per string: its number in the string table + 1, or 0 while not asked for. */
  #ids: Int32Array = new Int32Array(64);

  reset(raw: Uint8Array, ranges: Ranges, into: StringTable, bytesMax: number): void {
    this.#raw = raw;
    this.#ranges = ranges;
    this.#into = into;
    this.#bytesMax = bytesMax;
    this.#ids = emptied(this.#ids, ranges.count);
    this.#ids[0] = 1;
  }

  release(): void {
    this.#raw = NOTHING;
    this.#known.release();
    this.#into?.release();
    this.#into = undefined;
  }

  get count(): number {
    return this.#ranges.count;
  }

  get byteLength(): number {
    return this.#ids.byteLength;
  }

  /** The number of string i in the string table. */
  id(i: number): number {
    this.#check(i);
    const known = this.#ids[i]!;
    if (known !== 0) return known - 1;
    const end = this.#ranges.ends[i]!;
    let start = this.#ranges.starts[i]!;
    if (end - start > this.#bytesMax) start = this.#tailStart(end);
    const id = this.#into!.intern(this.#raw, start, end);
    this.#ids[i] = id + 1;
    return id;
  }

  /** String i as text, broken UTF-8 as U+FFFD. */
  text(i: number): string {
    this.#check(i);
    const start = this.#ranges.starts[i]!;
    const end = this.#ranges.ends[i]!;
    if (end - start > KNOWN_LENGTH_MAX) return decoder.decode(this.#raw.subarray(start, end));
    if (this.#known.count > KNOWN_MAX) this.#known = new StringTable();
    return this.#known.text(this.#known.intern(this.#raw, start, end));
  }

  /** Bytes of string i, before any cut. */
  byteLengthOf(i: number): number {
    this.#check(i);
    return this.#ranges.ends[i]! - this.#ranges.starts[i]!;
  }

  #check(i: number): void {
    const { count } = this.#ranges;
    if (i >= count) throw new MalformedInputError(PPROF, `string index ${i} is not below ${count}`);
  }

  /** Where the kept tail of a long string starts: not inside a UTF-8 sequence. */
  #tailStart(end: number): number {
    let start = end - this.#bytesMax;
    for (let i = 0; i < 3 && (this.#raw[start]! & 0xc0) === 0x80; i++) start++;
    return start;
  }
}
