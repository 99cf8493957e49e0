/** Half-open range of time, ms since epoch. */
export interface TimeSpan {
  readonly start: number;
  readonly end: number;
}

/** What is left of `spans` (disjoint, ascending) without `removed`; disjoint, ascending, none empty. */
export function withoutSpans(spans: readonly TimeSpan[], removed: readonly TimeSpan[]): TimeSpan[] {
  let left = spans.filter(({ start, end }) => start < end);
  for (const gap of removed) {
    left = left.flatMap(({ start, end }) =>
      [
        { start, end: Math.min(end, gap.start) },
        { start: Math.max(start, gap.end), end },
      ].filter((part) => part.start < part.end),
    );
  }
  return left;
}

export function isInSpans(spans: readonly TimeSpan[], time: number): boolean {
  for (const { start, end } of spans) if (time >= start && time < end) return true;
  return false;
}
