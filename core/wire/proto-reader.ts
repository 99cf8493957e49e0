import { MalformedInputError } from '../errors.ts';

/** Protobuf wire types that are in use; 3 and 4 (groups) are refused. */
export const WireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

const TWO_32 = 0x1_0000_0000;

/**
 * Walks protobuf messages without building objects. Numbers of 64 bits come as two unsigned halves, `low` and `high`,
 * because ids, addresses and values use all 64. Every read is checked against the end of the bytes; whoever walks a
 * nested message checks with `leave` that it ended where its length said.
 */
export class ProtoReader {
  readonly bytes: Uint8Array;
  readonly format: string;
  /** Next byte to read. */
  at: number;
  /** One past the last byte that may be read. */
  readonly end: number;
  /** The halves of the last number as signed 32 bits: a field that holds larger numbers is slower to read and write. */
  #low = 0;
  #high = 0;

  constructor(bytes: Uint8Array, format: string, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.format = format;
    this.at = at;
    this.end = end;
  }

  /** The last varint or fixed64: its low half, unsigned. */
  get low(): number {
    return this.#low >>> 0;
  }

  /** The last varint or fixed64: its high half, unsigned. */
  get high(): number {
    return this.#high >>> 0;
  }

  fail(message: string, at = this.at): never {
    throw new MalformedInputError(this.format, message, at);
  }

  /** The next tag: field number << 3 | wire type. */
  tag(): number {
    const start = this.at;
    const first = this.bytes[start]!;
    if (first < 128 && first > 7 && start < this.end) {
      this.at = start + 1;
      return first;
    }
    this.varint();
    if (this.high !== 0 || this.low < 8) this.fail('a field number is out of range', start);
    return this.low;
  }

  /** Reads a varint of at most ten bytes and 64 bits into `low` and `high`. */
  varint(): void {
    const { bytes, at } = this;
    const first = bytes[at]!;
    if (first < 128 && at < this.end) {
      this.at = at + 1;
      this.#low = first;
      this.#high = 0;
      return;
    }
    const second = bytes[at + 1]!;
    if (second < 128 && at + 1 < this.end) {
      this.at = at + 2;
      this.#low = (first & 127) | (second << 7);
      this.#high = 0;
      return;
    }
    this.#longVarint();
  }

  /**
   * The next tag, and when it announces a varint its value in `low` and `high`: one call per field of messages that
   * hold mostly numbers.
   */
  field(): number {
    const { bytes, at } = this;
    const tag = bytes[at]!;
    if (tag > 127 || tag < 8 || (tag & 7) !== 0 || at + 4 > this.end) return this.#anyField();
    const first = bytes[at + 1]!;
    if (first < 128) {
      this.at = at + 2;
      this.#low = first;
    } else {
      const second = bytes[at + 2]!;
      if (second < 128) {
        this.at = at + 3;
        this.#low = (first & 127) | (second << 7);
      } else {
        const third = bytes[at + 3]!;
        if (third > 127) return this.#anyField();
        this.at = at + 4;
        this.#low = (first & 127) | ((second & 127) << 7) | (third << 14);
      }
    }
    this.#high = 0;
    return tag;
  }

  #anyField(): number {
    const tag = this.tag();
    if ((tag & 7) === WireType.varint) this.varint();
    return tag;
  }

  #longVarint(): void {
    const bytes = this.bytes;
    let at = this.at;
    let low = 0;
    let high = 0;
    let byte = 128;
    for (let shift = 0; byte >= 128; shift += 7) {
      byte = at < this.end ? bytes[at++]! : this.#endsInside();
      const bits = byte & 127;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else if (shift < 63) high |= bits << (shift - 32);
      else if (byte > 1) this.fail('a number has more than 64 bits');
      else high |= byte << 31;
    }
    this.at = at;
    this.#low = low;
    this.#high = high;
  }

  #endsInside(): never {
    this.fail('ends inside a number', this.end);
  }

  /** A varint that must lie in [0, 2^53). Negative numbers have all 64 bits and are refused too. */
  uint(): number {
    const start = this.at;
    const first = this.bytes[start]!;
    if (first < 128 && start < this.end) {
      this.at = start + 1;
      return first;
    }
    this.varint();
    if (this.high >= 0x20_0000) this.fail('a number is negative or passes 2^53', start);
    return this.high * TWO_32 + this.low;
  }

  /** The varint that was read must be below `limit`; `what` names it in the error. */
  below(limit: number, what: string): number {
    const value = this.high * TWO_32 + this.low;
    if (value >= limit) this.fail(`${what} ${this.signed()} is not below ${limit}`);
    return value;
  }

  /** The varint that was read, for an unsigned 32-bit column: what does not fit, or is negative, becomes 0 ("not set"). */
  get lastUint32OrZero(): number {
    return this.high === 0 ? this.low : 0;
  }

  /** Reads a varint for an unsigned 32-bit column; see lastUint32OrZero. */
  uint32OrZero(): number {
    this.varint();
    return this.lastUint32OrZero;
  }

  get isZero(): boolean {
    return this.#low === 0 && this.#high === 0;
  }

  /** Reads eight little-endian bytes into `low` and `high`. */
  fixed64(): void {
    const { bytes, at } = this;
    if (this.end - at < 8) this.fail('ends inside a fixed64');
    this.#low = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    this.#high = bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 24);
    this.at = at + 8;
  }

  /** `low` and `high` as the int64 they encode. */
  signed(): bigint {
    return BigInt.asIntN(64, (BigInt(this.high) << 32n) | BigInt(this.low));
  }

  /** Reads a length and returns where the bytes that it announces end; `at` is where they start. */
  enter(): number {
    const start = this.at;
    const length = this.uint();
    const end = this.at + length;
    if (end > this.end) this.fail(`announces ${length} bytes, has ${this.end - this.at}`, start);
    return end;
  }

  /** A nested message must end exactly where its length said. */
  leave(end: number): void {
    if (this.at !== end) this.fail('a field passes the end of its message', end);
  }

  /** The bytes of a length-delimited field, as a view. */
  view(): Uint8Array {
    const end = this.enter();
    const view = this.bytes.subarray(this.at, end);
    this.at = end;
    return view;
  }

  /** Steps over the value of an unknown field whose tag `field` read. */
  skipRest(tag: number): void {
    if ((tag & 7) !== WireType.varint) this.skip(tag);
  }

  /** Steps over the value of an unknown field. */
  skip(tag: number): void {
    switch (tag & 7) {
      case WireType.varint:
        this.varint();
        break;
      case WireType.fixed64:
        this.#step(8);
        break;
      case WireType.bytes:
        this.at = this.enter();
        break;
      case WireType.fixed32:
        this.#step(4);
        break;
      default:
        this.fail(`wire type ${tag & 7} (a group, or unknown) is not supported`);
    }
  }

  #step(length: number): void {
    if (this.end - this.at < length) this.fail('ends inside a fixed number');
    this.at += length;
  }

  /** For a field number that is known under another wire type: refused, as nobody writes that in good faith. */
  wrongWireType(tag: number): never {
    this.fail(`field ${tag >>> 3} has wire type ${tag & 7}`);
  }
}
