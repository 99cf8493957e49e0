/**
 * A varint of one to three bytes at bytes[at], as value << 2 | length; 0 when it is longer or passes the end of the
 * array. Most numbers in profiles are ids, indexes and lengths this short; callers hand all others to ProtoReader.
 * Small enough to be inlined where it is called, which a reader with a position to keep is not.
 */
export function shortVarint(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  if (first < 128) return (first << 2) | 1;
  const second = bytes[at + 1]!;
  if (second < 128) return (((first & 127) | (second << 7)) << 2) | 2;
  const third = bytes[at + 2]!;
  if (third < 128) return (((first & 127) | ((second & 127) << 7) | (third << 14)) << 2) | 3;
  return 0;
}

/** One past the varint at bytes[at], of whatever length. */
export function afterVarint(bytes: Uint8Array, at: number): number {
  let end = at;
  while (bytes[end]! > 127) end++;
  return end + 1;
}

/** Largest number that readShortVarints reads: 28 bits. */
export const SHORT_VARINT_MAX = (1 << 28) - 1;

/**
 * Reads the varints that are bytes[start..end) to into[at] and after it, which must have room for end − start numbers.
 * Answers where in `into` they end, or -1 when one is larger than SHORT_VARINT_MAX or is cut off. Which bytes end a
 * number cannot be predicted, so nothing here asks: every byte is added to the number being read, and that is stored
 * whether complete or not.
 */
export function readShortVarints(
  bytes: Uint8Array,
  start: number,
  end: number,
  into: Int32Array,
  at: number,
): number {
  let next = at;
  let number = 0;
  let shift = 0;
  let isLong = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    // All bits set when more of the number is to come. Not written as negation, whose -0 is no integer.
    const more = 0 - (byte >> 7);
    number |= (byte & 127) << shift;
    into[next] = number;
    next += 1 + more;
    number &= more;
    shift = (shift + 7) & more;
    // Bit 5 when the number goes on after 28 bits.
    isLong |= shift + 4;
  }
  return shift !== 0 || (isLong & 32) !== 0 ? -1 : next;
}
