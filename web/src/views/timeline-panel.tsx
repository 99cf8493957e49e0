import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { paintTimeline, snapped, type TimelinePaint, timeAt, xOf } from '../canvas/paint-timeline.ts';
import { bandOf } from '../canvas/timeline-band.ts';
import { announce } from '../state/announcer.ts';
import type { Timeline } from '../state/api.ts';
import { formatCores, formatValue } from '../state/format.ts';
import { isDark, utc } from '../state/preferences.ts';
import { clock } from '../state/profile-model.ts';
import type { Resource } from '../state/resource.ts';
import { partName, type Split } from '../state/split.ts';
import { type Span, spanText } from '../state/time-range.ts';
import { PanelState } from './panel-state.tsx';
import { partVariables } from './split-bar.tsx';

export interface TimelinePanelProps {
  label: string;
  load: Resource<Timeline>;
  window: Span;
  selection: Span | undefined;
  isCpu: boolean;
  /** What the bars are made of. */
  split?: Split | undefined;
  /** Undefined clears the brush. Without a handler there is no brush. */
  compact?: boolean;
  onBrush?: (selection: Span | undefined) => void;
  /** Enter or double click on a brush. */
  onZoom?: () => void;
  /** Below the bars. */
  children?: ComponentChildren;
}

const HEIGHT = 104;
const COMPACT_HEIGHT = 72;

export function TimelinePanel({
  label,
  load,
  window,
  selection,
  isCpu,
  split,
  compact,
  onBrush,
  onZoom,
  children,
}: TimelinePanelProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(800);
  const [drag, setDrag] = useState<Span | undefined>(undefined);
  const [cursor, setCursor] = useState<number | undefined>(undefined);
  const [pointer, setPointer] = useState<number | undefined>(undefined);
  const anchor = useRef<number | undefined>(undefined);
  const dark = isDark();
  const inUtc = utc.value;
  const timeline = load.data;
  const height = compact ? COMPACT_HEIGHT : HEIGHT;
  const size = { width, height };
  const shownSelection = drag ?? selection;

  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.round(entry.contentRect.width)));
    observer.observe(box.current!);
    return () => observer.disconnect();
  }, []);

  const coresUnit = isCpu && timeline ? 1e6 * timeline.stepMs : 1;
  const format = (value: number) => bucketText(value, timeline, isCpu);
  useEffect(() => {
    const element = canvas.current;
    if (!element || !timeline) return;
    const ratio = devicePixelRatio;
    element.width = Math.round(width * ratio);
    element.height = Math.round(height * ratio);
    const context = element.getContext('2d')!;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const lag = Math.max(0, timeline.completeness?.lagMs ?? 0);
    const paint: TimelinePaint = {
      timeline,
      window,
      selection: shownSelection,
      split,
      cursor,
      settledUntil: clock.peek() - lag,
      colors: colorsOf(element),
      utc: inUtc,
      // Round numbers of cores, not of nanoseconds.
      scale: (value) => value / coresUnit,
      format: (scaled) => format(scaled * coresUnit),
    };
    paintTimeline(context, paint, size);
    element.dataset.painted = split?.label ?? '';
  }, [timeline, split, width, window.start, window.end, shownSelection, cursor, dark, inUtc]);

  const timeOf = (event: PointerEvent) => {
    const left = canvas.current!.getBoundingClientRect().left;
    return timeAt(event.clientX - left, window, size);
  };
  const onPointerDown = (event: PointerEvent) => {
    if (!onBrush || event.button !== 0) return;
    anchor.current = timeOf(event);
    canvas.current!.setPointerCapture(event.pointerId);
  };
  const onPointerMove = (event: PointerEvent) => {
    const time = timeOf(event);
    setPointer(time);
    if (anchor.current !== undefined) setDrag(ordered(anchor.current, time));
  };
  const onPointerUp = (event: PointerEvent) => {
    if (anchor.current === undefined || !onBrush || !timeline) return;
    const span = ordered(anchor.current, timeOf(event));
    const moved = xOf(span.end, window, size) - xOf(span.start, window, size) >= 4;
    anchor.current = undefined;
    setDrag(undefined);
    if (moved) onBrush(snapped(span, timeline.stepMs));
    else if (selection) onBrush(undefined);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (!timeline || timeline.stepMs <= 0) return;
    const step = timeline.stepMs;
    const first = Math.floor(window.start / step) * step;
    const last = Math.floor((window.end - 1) / step) * step;
    const at = cursor ?? (event.key === 'ArrowLeft' ? last + step : first - step);
    const moves: Record<string, number> = {
      ArrowLeft: at - step,
      ArrowRight: at + step,
      PageUp: at - 10 * step,
      PageDown: at + 10 * step,
      Home: first,
      End: last,
    };
    if (event.key in moves) {
      const next = Math.min(last, Math.max(first, moves[event.key]));
      setCursor(next);
      if (event.shiftKey && onBrush) {
        anchor.current ??= cursor ?? next;
        const span = ordered(anchor.current, next);
        onBrush({ start: span.start, end: span.end + step });
      } else anchor.current = undefined;
      announce(describe(timeline, split, next, format, inUtc));
    } else if (event.key === 'Enter' && selection && onZoom) onZoom();
    else if (event.key === 'Escape' && selection && onBrush) onBrush(undefined);
    else return;
    event.preventDefault();
  };
  const readout = pointer !== undefined && timeline ? describe(timeline, split, pointer, format, inUtc) : '';
  return (
    <section class="panel timeline" aria-label={label}>
      <div
        ref={box}
        class={compact ? 'timeline-box timeline-compact' : 'timeline-box'}
        role="application"
        aria-roledescription="timeline"
        aria-label={`${label}, ${spanText(window, inUtc)}${selection ? `, selected ${spanText(selection, inUtc)}` : ''}`}
        tabIndex={0}
        onKeyDown={onKeyDown}
        onBlur={() => {
          setCursor(undefined);
          anchor.current = undefined;
        }}
      >
        <canvas
          ref={canvas}
          class="timeline-canvas"
          aria-hidden="true"
          onPointerDown={onPointerDown}
          onPointerMove={onPointerMove}
          onPointerUp={onPointerUp}
          onPointerLeave={() => setPointer(undefined)}
          onDblClick={() => selection && onZoom?.()}
        />
        <PanelState load={load} what="timeline" quiet />
      </div>
      <div class="timeline-readout" aria-hidden="true">
        {readout}
      </div>
      {children}
    </section>
  );
}

function ordered(a: number, b: number): Span {
  return a < b ? { start: a, end: b } : { start: b, end: a };
}

function bucketText(value: number, timeline: Timeline | undefined, isCpu: boolean): string {
  if (!timeline) return '';
  return isCpu ? formatCores(value, timeline.stepMs) : formatValue(value, timeline.unit);
}

function describe(
  timeline: Timeline,
  split: Split | undefined,
  time: number,
  format: (value: number) => string,
  inUtc: boolean,
): string {
  const at = timeline.points.findIndex(({ timeMs }) => time >= timeMs && time < timeMs + timeline.stepMs);
  const start = Math.floor(time / timeline.stepMs) * timeline.stepMs;
  const when = spanText({ start, end: start + timeline.stepMs }, inUtc);
  if (at < 0) return `${when}: no data`;
  const { value, samples } = timeline.points[at];
  const band = bandOf(timeline, timeline.points[at]);
  const peaks = band ? `; windows from ${format(band.least)} to ${format(band.most)}` : '';
  const parts = (split?.parts ?? [])
    .filter(({ values }) => values[at] > 0)
    .map((part) => `${partName(split!, part)} ${format(part.values[at])}`);
  return `${when}: ${format(value)}, ${samples} samples${parts.length > 0 ? `: ${parts.join(', ')}` : ''}${peaks}`;
}

function colorsOf(element: HTMLElement) {
  const style = getComputedStyle(element);
  const color = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return {
    bar: color('chart-bar'),
    barOutside: color('chart-bar-outside'),
    parts: partVariables(color),
    axis: color('line'),
    text: color('text-soft'),
    hatch: color('chart-hatch'),
    selection: color('chart-selection'),
    selectionEdge: color('accent'),
    background: color('surface'),
  };
}
