/** A part of a plan: what it costs to read, and in which time its windows lie, ms. */
export interface PricedPart {
  readonly minTime: number;
  readonly maxTime: number;
  /** Step of its windows, seconds; 0 = raw. */
  readonly resolutionSeconds: number;
  readonly bytes: number;
}

/**
 * The time from which on all parts fit `bytesMax`, the newest first, or undefined when all of them fit at all. What
 * starts before it is another question, which this function answers in turn: each answers something, even where that
 * takes more bytes. It cuts no window of the parts that it keeps.
 */
export function startWithin(parts: readonly PricedPart[], bytesMax: number): number | undefined {
  const newestFirst = [...parts].sort((a, b) => b.maxTime - a.maxTime);
  let bytes = 0;
  let stepMs = 1;
  for (const part of newestFirst) {
    if (bytes + part.bytes > bytesMax) {
      const start = Math.ceil(part.maxTime / stepMs) * stepMs;
      // Windows start before their end: this leaves at least one of the newest.
      if (start < newestFirst[0]!.maxTime) return start;
    }
    bytes += part.bytes;
    stepMs = Math.max(stepMs, part.resolutionSeconds * 1000);
  }
  return undefined;
}
