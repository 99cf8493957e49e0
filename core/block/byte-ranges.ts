/** Half-open range of bytes. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Bytes between two wanted ranges that are cheaper to read along than to ask for separately (a request costs more). */
export const RANGE_GAP_MAX = 256 * 1024;
/** Most bytes asked for at once. */
export const RANGE_LENGTH_MAX = 32 * 1024 * 1024;

/** Joins ranges into few reads: neighbours closer than `gap` become one, up to `lengthMax`. Pure; result is sorted. */
export function coalesceRanges(
  ranges: readonly ByteRange[],
  gap: number = RANGE_GAP_MAX,
  lengthMax: number = RANGE_LENGTH_MAX,
): ByteRange[] {
  const sorted = ranges.filter((r) => r.end > r.start).sort((a, b) => a.start - b.start);
  const joined: { start: number; end: number }[] = [];
  for (const { start, end } of sorted) {
    const last = joined.at(-1);
    const near = last !== undefined && start - last.end <= gap;
    if (near && Math.max(end, last.end) - last.start <= lengthMax) last.end = Math.max(end, last.end);
    else joined.push({ start, end });
  }
  return joined;
}
