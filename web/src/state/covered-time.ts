import type { Timeline } from './api.ts';
import type { Span } from './time-range.ts';

/**
 * How much of a span has data, in ms: what a value is divided by to be a number of cores. A machine that was started ten
 * minutes ago, or whose agent was away, is not measured against the hours in which nothing ran. Known to the timeline's
 * steps; in its first and last one to `firstSeenMs` and to the newest batch. All of the span while nothing is known.
 */
export function coveredTime(timeline: Timeline | undefined, span: Span, firstSeenMs = -Infinity): number {
  const whole = span.end - span.start;
  if (!timeline || timeline.points.length === 0) return whole;
  const { points, stepMs, completeness } = timeline;
  const lag = completeness?.lagMs ?? -1;
  const newestMs = lag < 0 ? Infinity : timeline.span.end - lag;
  let covered = 0;
  points.forEach(({ timeMs }, i) => {
    const step = { start: timeMs, end: timeMs + stepMs };
    if (i === 0 && firstSeenMs < step.end) step.start = Math.max(step.start, firstSeenMs);
    // A browser's clock may be off by more than a step; then the step counts in full.
    if (i === points.length - 1 && newestMs > step.start) step.end = Math.min(step.end, newestMs);
    covered += Math.max(0, Math.min(step.end, span.end) - Math.max(step.start, span.start));
  });
  return covered > 0 ? covered : whole;
}
