import { movedPart, type Part, scaledPart } from '../state/part.ts';
import type { FlameChart } from './flame-chart.ts';

/** Movement below this is a click by an unsteady hand. */
const DRAG_PIXELS = 4;
/** A wheel's notch is about 100, a pinch sends many small steps: e^(0.6) per notch, less than a doubling. */
const ZOOM_PER_PIXEL = 0.006;
const NOTCH = 100;
const LINE_PIXELS = 16;

export interface GestureTarget {
  part: () => Part;
  steer: (part: Part) => void;
  /** A drag began: what was under the pointer no longer is. */
  onDrag: () => void;
}

/**
 * Wheel and drag over a flame graph: Ctrl+wheel or a pinch magnifies around the pointer, a sideways wheel and a drag
 * move. A plain wheel scrolls as ever, and fingers scroll by themselves. Returns how to stop.
 */
export function followGestures(scroller: HTMLElement, chart: FlameChart, target: GestureTarget): () => void {
  const stop = new AbortController();
  const { signal } = stop;
  // Not passive: the browser would otherwise magnify the page, or go back in history.
  scroller.addEventListener('wheel', (event) => onWheel(event, scroller, chart, target), {
    passive: false,
    signal,
  });
  followDrag(scroller, target, signal);
  return () => stop.abort();
}

function onWheel(event: WheelEvent, scroller: HTMLElement, chart: FlameChart, target: GestureTarget): void {
  const unit = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : LINE_PIXELS;
  const part = target.part();
  if (event.ctrlKey || event.metaKey) {
    event.preventDefault();
    const pixels = Math.max(-NOTCH, Math.min(NOTCH, event.deltaY * unit));
    target.steer(scaledPart(part, chart.fractionAt(event.clientX), Math.exp(pixels * ZOOM_PER_PIXEL)));
    return;
  }
  const isSideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
  const isMagnified = part.x1 - part.x0 < 1;
  if (!isSideways || !isMagnified) return;
  event.preventDefault();
  const pixels = (event.deltaX || event.deltaY) * unit;
  target.steer(movedPart(part, pixels / scroller.clientWidth));
}

interface Drag {
  x: number;
  y: number;
  part: Part;
  scrollTop: number;
  moved: boolean;
}

function followDrag(scroller: HTMLElement, target: GestureTarget, signal: AbortSignal): void {
  let drag: Drag | undefined;
  let justDragged = false;
  const onDown = (event: PointerEvent) => {
    justDragged = false;
    const onScrollbar = event.offsetX > scroller.clientWidth && event.target === scroller;
    if (event.button !== 0 || event.pointerType === 'touch' || onScrollbar) return;
    drag = {
      ...{ x: event.clientX, y: event.clientY },
      part: target.part(),
      scrollTop: scroller.scrollTop,
      moved: false,
    };
  };
  const onMove = (event: PointerEvent) => {
    if (!drag) return;
    const [dx, dy] = [event.clientX - drag.x, event.clientY - drag.y];
    if (!drag.moved) {
      if (Math.hypot(dx, dy) < DRAG_PIXELS) return;
      drag.moved = true;
      scroller.setPointerCapture(event.pointerId);
      scroller.classList.add('flame-dragged');
      target.onDrag();
    }
    scroller.scrollTop = drag.scrollTop - dy;
    if (drag.part.x1 - drag.part.x0 < 1) target.steer(movedPart(drag.part, -dx / scroller.clientWidth));
  };
  const onEnd = () => {
    justDragged = drag?.moved ?? false;
    drag = undefined;
    scroller.classList.remove('flame-dragged');
  };
  // The click that ends a drag is none: nothing was pointed at.
  const onClick = (event: MouseEvent) => {
    if (!justDragged) return;
    justDragged = false;
    event.stopImmediatePropagation();
    event.preventDefault();
  };
  scroller.addEventListener('pointerdown', onDown, { signal });
  scroller.addEventListener('pointermove', onMove, { signal });
  scroller.addEventListener('pointerup', onEnd, { signal });
  scroller.addEventListener('pointercancel', onEnd, { signal });
  scroller.addEventListener('click', onClick, { signal, capture: true });
}
