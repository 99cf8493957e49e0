import { useEffect, useRef, useState } from 'preact/hooks';
import { HEAT_ROW, type HeatCell, largestValue, paintHeatmap } from '../canvas/paint-heatmap.ts';
import { timeAt } from '../canvas/paint-timeline.ts';
import { announce } from '../state/announcer.ts';
import { formatCores, formatValue } from '../state/format.ts';
import { isDark, utc } from '../state/preferences.ts';
import { isCpu, outerSpan, split, timeline } from '../state/profile-model.ts';
import { partName } from '../state/split.ts';
import { spanText } from '../state/time-range.ts';
import { showOnly } from './split-bar.tsx';

/** Every value of the label as a row over time: which pod, which node, and when. A row is a filter away. */
export function Heatmap() {
  const now = split.value;
  const known = timeline.value.data;
  const canvas = useRef<HTMLCanvasElement>(null);
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(800);
  const [cursor, setCursor] = useState<HeatCell | undefined>(undefined);
  const [hovered, setHovered] = useState<HeatCell | undefined>(undefined);
  const window = outerSpan.value;
  const dark = isDark();
  const isThere = now !== undefined && known !== undefined;

  useEffect(() => {
    if (!box.current) return;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.round(entry.contentRect.width)));
    // As wide as the timeline above, whether or not a scroll bar covers the end of it.
    observer.observe(box.current.parentElement!);
    return () => observer.disconnect();
  }, [isThere]);
  useEffect(() => {
    const element = canvas.current;
    if (!element || !now || !known) return;
    const height = now.parts.length * HEAT_ROW;
    element.style.height = `${height}px`;
    element.style.width = `${width}px`;
    element.width = Math.round(width * devicePixelRatio);
    element.height = Math.round(height * devicePixelRatio);
    const context = element.getContext('2d')!;
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    const names = now.parts.map((part) => partName(now, part));
    const colors = colorsOf(element);
    paintHeatmap(context, { split: now, timeline: known, window, names, cursor, colors }, width);
    element.dataset.painted = now.label;
  }, [now, known, width, window.start, window.end, cursor, dark]);
  if (!now || !known) return null;

  const value = (amount: number) =>
    isCpu.value ? formatCores(amount, known.stepMs) : formatValue(amount, known.unit);
  const describe = ({ row, point }: HeatCell) => {
    const { timeMs } = known.points[point];
    const part = now.parts[row];
    const when = spanText({ start: timeMs, end: timeMs + known.stepMs }, utc.value);
    return `${partName(now, part)}, ${when}: ${value(part.values[point])}`;
  };
  const cellAt = (event: MouseEvent): HeatCell | undefined => {
    const place = canvas.current!.getBoundingClientRect();
    const time = timeAt(event.clientX - place.left, window, { width, height: 0 });
    const point = known.points.findIndex(({ timeMs }) => time >= timeMs && time < timeMs + known.stepMs);
    const row = Math.floor((event.clientY - place.top) / HEAT_ROW);
    return point >= 0 && row >= 0 && row < now.parts.length ? { row, point } : undefined;
  };
  const choose = (row: number) => {
    const { value: chosen } = now.parts[row];
    if (chosen) showOnly(now.label, chosen);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const at = cursor ?? { row: 0, point: known.points.length - 1 };
    const moves: Record<string, HeatCell> = {
      ArrowUp: { ...at, row: at.row - 1 },
      ArrowDown: { ...at, row: at.row + 1 },
      ArrowLeft: { ...at, point: at.point - 1 },
      ArrowRight: { ...at, point: at.point + 1 },
      Home: { ...at, point: 0 },
      End: { ...at, point: known.points.length - 1 },
    };
    if (event.key in moves) {
      const wanted = cursor ? moves[event.key] : at;
      const next = {
        row: Math.max(0, Math.min(now.parts.length - 1, wanted.row)),
        point: Math.max(0, Math.min(known.points.length - 1, wanted.point)),
      };
      setCursor(next);
      box.current!.scrollTop = Math.max(0, next.row * HEAT_ROW - box.current!.clientHeight / 2);
      announce(describe(next));
    } else if (event.key === 'Enter' && cursor) choose(cursor.row);
    else return;
    event.preventDefault();
  };
  const shown = hovered ?? cursor;
  const isValid = shown && shown.row < now.parts.length && shown.point < known.points.length;
  return (
    <>
      <div
        ref={box}
        class="heatmap scroller"
        role="application"
        aria-roledescription="heatmap"
        aria-label={`Heatmap by ${now.label}, ${now.parts.length} rows. Arrow keys move, Enter shows only the row.`}
        tabIndex={0}
        onKeyDown={onKeyDown}
        onBlur={() => setCursor(undefined)}
      >
        <canvas
          ref={canvas}
          class="heatmap-canvas"
          aria-hidden="true"
          onPointerMove={(event) => setHovered(cellAt(event))}
          onPointerLeave={() => setHovered(undefined)}
          onClick={(event) => {
            const cell = cellAt(event);
            if (cell) choose(cell.row);
          }}
        />
      </div>
      <p class="heatmap-note tabular" aria-hidden="true">
        {isValid ? describe(shown) : `The stronger, the more: up to ${value(largestValue(now))} in one cell.`}
      </p>
    </>
  );
}

function colorsOf(element: HTMLElement) {
  const style = getComputedStyle(element);
  const color = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return {
    low: color('heat-low'),
    high: color('heat-high'),
    text: color('text-soft'),
    background: color('surface'),
    cursor: color('text'),
  };
}
