// A protobuf writer for tests, written from the encoding rules and independent of the product's own.

const utf8 = new TextEncoder();

/** Base-128 varint of the 64 bits of a number; negative ones in two's complement. */
export function varint(value: number | bigint): number[] {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest > 127n) {
    out.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  out.push(Number(rest));
  return out;
}

/** Field with a number. */
export function num(field: number, value: number | bigint): number[] {
  return [...varint(field << 3), ...varint(value)];
}

/** Field with bytes, text or a message. */
export function len(field: number, value: string | ArrayLike<number>): number[] {
  const bytes = typeof value === 'string' ? utf8.encode(value) : value;
  const out = [...varint((field << 3) | 2), ...varint(bytes.length)];
  // Not spread: arguments of that number do not fit on the stack.
  for (let i = 0; i < bytes.length; i++) out.push(bytes[i]!);
  return out;
}

/** Repeated numbers, packed. */
export function packed(field: number, values: Iterable<number | bigint>): number[] {
  return len(field, [...values].flatMap(varint));
}

/** Repeated numbers, one field each. */
export function unpacked(field: number, values: Iterable<number | bigint>): number[] {
  return [...values].flatMap((value) => num(field, value));
}

/** Eight little-endian bytes. */
export function littleEndian64(value: number | bigint): number[] {
  const rest = BigInt.asUintN(64, BigInt(value));
  return Array.from({ length: 8 }, (_, i) => Number((rest >> BigInt(8 * i)) & 255n));
}

/** Field with a fixed64. */
export function fixed64(field: number, value: number | bigint): number[] {
  return [...varint((field << 3) | 1), ...littleEndian64(value)];
}

export function bytesOf(...parts: ArrayLike<number>[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
