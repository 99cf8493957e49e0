// The one writer shape for everything binary: blocks, pprof, OTLP, trees. Appends to one growing buffer.

const TWO_32 = 0x1_0000_0000;
const encoder = new TextEncoder();

export class ByteWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;

  constructor(capacity = 1024) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#length;
  }

  /** What was written so far, as a view; later writes may move it. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** What was written so far, as bytes of its own. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }

  /** Makes room for `more` bytes, so that the caller of several small writes pays for one check. */
  reserve(more: number): void {
    const need = this.#length + more;
    if (need <= this.#bytes.length) return;
    const next = new Uint8Array(Math.max(need, this.#bytes.length * 2));
    next.set(this.view());
    this.#bytes = next;
    this.#view = new DataView(next.buffer);
  }

  u8(value: number): void {
    this.reserve(1);
    this.#bytes[this.#length++] = value;
  }

  u16(value: number): void {
    this.reserve(2);
    this.#view.setUint16(this.#length, value, true);
    this.#length += 2;
  }

  u32(value: number): void {
    this.reserve(4);
    this.#view.setUint32(this.#length, value, true);
    this.#length += 4;
  }

  /** A 64-bit little-endian number below 2^53. */
  u64(value: number): void {
    this.u32(value >>> 0);
    this.u32(Math.floor(value / TWO_32));
  }

  bytes(source: Uint8Array): void {
    this.reserve(source.length);
    this.#bytes.set(source, this.#length);
    this.#length += source.length;
  }

  /** LEB128 of a whole number in [0, 2^53). */
  varint(value: number): void {
    this.reserve(8);
    const bytes = this.#bytes;
    let at = this.#length;
    while (value >= TWO_32) {
      bytes[at++] = (value % 128) | 0x80;
      value = Math.floor(value / 128);
    }
    let rest = value >>> 0;
    while (rest > 127) {
      bytes[at++] = (rest & 127) | 0x80;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.#length = at;
  }

  /** LEB128 of column[first], column[first + step], … up to column[end), which is what sections are made of. */
  varints(column: Uint32Array, first: number, end: number, step = 1): void {
    this.reserve(5 * Math.max(0, Math.ceil((end - first) / step)));
    const bytes = this.#bytes;
    let to = this.#length;
    for (let at = first; at < end; at += step) {
      let rest = column[at]!;
      while (rest > 127) {
        bytes[to++] = (rest & 127) | 0x80;
        rest >>>= 7;
      }
      bytes[to++] = rest;
    }
    this.#length = to;
  }

  /** LEB128 of an unsigned number of any size. */
  bigVarint(value: bigint): void {
    let rest = value;
    while (rest > 127n) {
      this.u8(Number(rest & 127n) | 0x80);
      rest >>= 7n;
    }
    this.u8(Number(rest));
  }

  /** LEB128 of a 64-bit number given as its two unsigned halves. */
  varint64(low: number, high: number): void {
    this.reserve(10);
    const bytes = this.#bytes;
    let at = this.#length;
    let lo = low >>> 0;
    let hi = high >>> 0;
    while (hi !== 0) {
      bytes[at++] = (lo & 127) | 0x80;
      lo = ((lo >>> 7) | (hi << 25)) >>> 0;
      hi >>>= 7;
    }
    while (lo > 127) {
      bytes[at++] = (lo & 127) | 0x80;
      lo >>>= 7;
    }
    bytes[at++] = lo;
    this.#length = at;
  }

  /** Signed number, |value| < 2^52, small ones short: 0, -1, 1, -2, … become 0, 1, 2, 3, … */
  zigzag(value: number): void {
    this.varint(value < 0 ? -value * 2 - 1 : value * 2);
  }

  /** UTF-8 with its byte length before it. */
  text(value: string): void {
    const bytes = encoder.encode(value);
    this.varint(bytes.length);
    this.bytes(bytes);
  }
}

/** How many bytes LEB128 of a whole number in [0, 2^53) takes. */
export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) length++;
  return length;
}

/** Puts LEB128 of a whole number in [0, 2^53) to bytes[at] and after it. @returns one past its last byte */
export function putVarint(bytes: Uint8Array, at: number, value: number): number {
  let next = at;
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes[next++] = (rest % 128) | 128;
  bytes[next++] = rest;
  return next;
}
