import { signal } from '@preact/signals';
import { useEffect, useId, useRef } from 'preact/hooks';
import { FlameChart, type FlameChartState } from '../canvas/flame-chart.ts';
import { followGestures } from '../canvas/flame-gestures.ts';
import { announce } from '../state/announcer.ts';
import { type FrameContext, frameSentence } from '../state/frame-facts.ts';
import { markMoment } from '../state/moments.ts';
import type { Part } from '../state/part.ts';
import { held } from '../state/profile-model.ts';
import { type ActionId, actionOf } from '../state/shortcuts.ts';

/** The frame under the pointer, for the tooltip. */
export interface Hover {
  context: FrameContext;
  row: number;
  x: number;
  y: number;
  frozen: boolean;
}

export const hover = signal<Hover | undefined>(undefined);

export interface FlameCanvasProps {
  state: FlameChartState;
  context: FrameContext;
  /** Name of the graph and a sentence that sums it up, for screen readers. */
  label: string;
  summary: string;
  id?: string;
  onSelect: (row: number) => void;
  onZoom: (row: number) => void;
  onMenu?: (row: number, x: number, y: number) => void;
  onDrop?: (row: number) => void;
  /** Wheel, pinch and drag show another part of the width. */
  onSteer: (part: Part) => void;
  /** Handles an action of the keyboard; returns false for those it does not know. */
  onAction: (id: ActionId) => boolean;
}

/** A flame graph that a mouse, a keyboard and a screen reader can use. All state comes from outside. */
export function FlameCanvas(props: FlameCanvasProps) {
  const { state, context, label, summary, id } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const spacer = useRef<HTMLDivElement>(null);
  const chart = useRef<FlameChart | undefined>(undefined);
  const latest = useRef(props);
  latest.current = props;
  const describedBy = useId();

  useEffect(() => {
    const made = new FlameChart(scroller.current!, canvas.current!, spacer.current!);
    chart.current = made;
    const { dataset } = canvas.current!;
    made.onPaint = () => {
      dataset.painted = String(Number(dataset.painted ?? 0) + 1);
      markMoment('painted');
    };
    const letGo = followGestures(scroller.current!, made, {
      part: () => latest.current.state.part,
      steer: (part) => latest.current.onSteer(part),
      onDrag: onPointerLeave,
    });
    return () => {
      letGo();
      made.dispose();
      if (hover.peek()) hover.value = undefined;
    };
  }, []);
  useEffect(() => {
    chart.current?.show(state);
    // The tree may have changed under a resting pointer.
    const current = hover.peek();
    if (current && !current.frozen && scroller.current?.matches(':hover')) showTooltip(current.x, current.y);
  }, [state]);
  useEffect(() => chart.current?.reveal(state.selectedRow), [state.selectedRow]);

  const showTooltip = (x: number, y: number) => {
    const row = chart.current!.rowAt(x, y);
    chart.current!.hover(row);
    canvas.current!.style.cursor = row < 0 ? 'default' : 'pointer';
    hover.value = row < 0 ? undefined : { context, row, x, y, frozen: false };
  };
  const onPointerMove = (event: PointerEvent) => {
    if (hover.peek()?.frozen || scroller.current!.classList.contains('flame-dragged')) return;
    showTooltip(event.clientX, event.clientY);
  };
  const onPointerLeave = () => {
    if (hover.peek()?.frozen) return;
    chart.current!.hover(-1);
    hover.value = undefined;
  };
  const onClick = (event: MouseEvent) => {
    const row = chart.current!.rowAt(event.clientX, event.clientY);
    if (row < 0) return;
    if (hover.peek()?.frozen) unfreeze();
    else if (event.altKey && props.onDrop) props.onDrop(row);
    else props.onZoom(row);
  };
  const openMenu = (row: number, x: number, y: number) => {
    if (!props.onMenu || row < 0) return false;
    props.onSelect(row);
    hover.value = undefined;
    props.onMenu(row, x, y);
    return true;
  };
  const onContextMenu = (event: MouseEvent) => {
    if (event.button !== 2) return;
    if (openMenu(chart.current!.rowAt(event.clientX, event.clientY), event.clientX, event.clientY)) {
      event.preventDefault();
    }
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const action = actionOf(event);
    if (action === undefined) return;
    const box = action === 'menu' ? chart.current!.boxOf(state.selectedRow) : undefined;
    const done = box ? openMenu(state.selectedRow, box.left + 8, box.top + 18) : props.onAction(action);
    if (!done) return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div
      id={id}
      ref={scroller}
      class="flame scroller"
      role="application"
      aria-roledescription="flame graph"
      aria-label={label}
      aria-describedby={describedBy}
      tabIndex={0}
      onPointerMove={onPointerMove}
      onPointerLeave={onPointerLeave}
      onClick={onClick}
      onContextMenu={onContextMenu}
      onKeyDown={onKeyDown}
      onFocus={() =>
        announce(frameSentence(latest.current.context, Math.max(0, latest.current.state.selectedRow)))
      }
    >
      <div ref={spacer} class="flame-spacer">
        <canvas ref={canvas} class="flame-canvas" aria-hidden="true" />
      </div>
      <p id={describedBy} class="visually-hidden">
        {summary}
      </p>
    </div>
  );
}

/** Holds the tooltip where it is, or lets go of it. */
export function toggleFreeze(): void {
  const current = hover.peek();
  if (!current) return;
  hover.value = { ...current, frozen: !current.frozen };
  held.value = !current.frozen;
}

export function unfreeze(): void {
  hover.value = undefined;
  held.value = false;
}
