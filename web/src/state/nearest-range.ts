import type { Service } from './api.ts';
import type { Span } from './time-range.ts';

/** A range as long as the asked one, at the end of the data that lies closest to it. */
export function nearestRange(known: readonly Service[], asked: Span): Span | undefined {
  const length = asked.end - asked.start;
  let best: Span | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const { firstSeenMs, lastSeenMs } of known) {
    if (lastSeenMs <= 0) continue;
    const isBefore = lastSeenMs < asked.start;
    const distance = isBefore ? asked.start - lastSeenMs : Math.max(0, firstSeenMs - asked.end);
    if (distance >= bestDistance) continue;
    bestDistance = distance;
    const end = isBefore || firstSeenMs < asked.end ? lastSeenMs + 1000 : firstSeenMs + length;
    best = { start: end - length, end };
  }
  return best && bestDistance > 0 ? best : undefined;
}
