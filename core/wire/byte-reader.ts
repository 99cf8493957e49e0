import { MalformedInputError } from '../errors.ts';

// The one reader shape for everything binary. Every read is checked against the end of its bytes: what is read may
// come from another cluster, and is hostile until proven otherwise.

const TWO_32 = 0x1_0000_0000;
const decoder = new TextDecoder();

/** Reads forward through bytes. Fails with MalformedInputError naming the format and the offset. */
export class ByteReader {
  readonly bytes: Uint8Array;
  readonly format: string;
  /** Next byte to read. */
  offset: number;
  /** One past the last byte that may be read. */
  readonly end: number;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, format: string, offset = 0, end = bytes.length) {
    this.bytes = bytes;
    this.format = format;
    this.offset = offset;
    this.end = end;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.end - this.offset;
  }

  fail(message: string): never {
    throw new MalformedInputError(this.format, message, this.offset);
  }

  need(length: number): void {
    if (length > this.end - this.offset)
      this.fail(`needs ${length} more bytes, has ${this.end - this.offset}`);
  }

  u8(): number {
    this.need(1);
    return this.bytes[this.offset++]!;
  }

  u16(): number {
    this.need(2);
    const value = this.#view.getUint16(this.offset, true);
    this.offset += 2;
    return value;
  }

  u32(): number {
    this.need(4);
    const value = this.#view.getUint32(this.offset, true);
    this.offset += 4;
    return value;
  }

  /** A 64-bit little-endian number, which must be below 2^53. */
  u64(): number {
    const low = this.u32();
    const high = this.u32();
    if (high >= 0x20_0000) this.fail('a 64-bit number passes 2^53');
    return high * TWO_32 + low;
  }

  /** The next `length` bytes as a view. */
  take(length: number): Uint8Array {
    this.need(length);
    const view = this.bytes.subarray(this.offset, this.offset + length);
    this.offset += length;
    return view;
  }

  /** LEB128 below 2^53. */
  varint(): number {
    const bytes = this.bytes;
    let at = this.offset;
    const end = this.end;
    let value = 0;
    let unit = 1;
    for (let i = 0; i < 8; i++) {
      if (at >= end) this.fail('ends inside a number');
      const byte = bytes[at++]!;
      value += (byte & 127) * unit;
      if (byte < 128) {
        if (value > Number.MAX_SAFE_INTEGER) this.fail('a number passes 2^53');
        this.offset = at;
        return value;
      }
      unit *= 128;
    }
    this.fail('a number passes 2^53');
  }

  /** LEB128 of at most `maxBytes` bytes. */
  bigVarint(maxBytes = 19): bigint {
    let value = 0n;
    for (let i = 0; i < maxBytes; i++) {
      const byte = this.u8();
      value |= BigInt(byte & 127) << BigInt(7 * i);
      if (byte < 128) return value;
    }
    this.fail(`a number is longer than ${maxBytes} bytes`);
  }

  zigzag(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** A varint that counts things of at least `minBytes` each, so it cannot promise more than the bytes that are left. */
  count(minBytes = 1): number {
    const value = this.varint();
    if (value * minBytes > this.remaining) {
      this.fail(`promises ${value} entries in ${this.remaining} bytes`);
    }
    return value;
  }

  /** A varint that must be below `limit`. */
  index(limit: number): number {
    const value = this.varint();
    if (value >= limit) this.fail(`index ${value} is not below ${limit}`);
    return value;
  }

  text(maxBytes = 1 << 20): string {
    const length = this.varint();
    if (length > maxBytes) this.fail(`a text has ${length} bytes, the limit is ${maxBytes}`);
    return decoder.decode(this.take(length));
  }

  /** All bytes must have been read. */
  expectEnd(): void {
    if (this.offset !== this.end) this.fail(`has ${this.remaining} bytes too many`);
  }
}
