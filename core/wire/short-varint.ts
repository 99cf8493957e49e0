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
