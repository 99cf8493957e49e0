import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { paintMinimap, skylineOf } from '../canvas/paint-minimap.ts';
import { isSamePart, movedPart, type Part, partBetween, WHOLE } from '../state/part.ts';
import { isDark } from '../state/preferences.ts';
import { flameLayout, matched } from '../state/profile-model.ts';
import { letGo, shownPart, showPart, steer } from '../state/steering.ts';
import { palette } from './frame-paint.ts';

const HEIGHT = 28;
/** How close to an edge of the window a pointer takes hold of it. */
const EDGE = 6;

/** The whole graph in outline, with a window on what is on screen: it moves by dragging, and grows by its edges. The
 * graph's own keys do the same, so this is for pointers alone. */
export function FlameMinimap() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(600);
  const layout = flameLayout.value;
  const part = shownPart.value;
  const hits = matched.value;
  const dark = isDark();
  const skyline = useMemo(() => layout && skylineOf(layout, width, hits), [layout, width, hits]);
  /** Moves with the pointer: the part for a fraction of the width. */
  const drag = useRef<((at: number) => Part) | undefined>(undefined);

  useEffect(() => {
    const observer = new ResizeObserver(([entry]) =>
      setWidth(Math.max(1, Math.round(entry.contentRect.width))),
    );
    observer.observe(canvas.current!);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    const element = canvas.current!;
    if (!skyline) return;
    element.width = Math.round(width * devicePixelRatio);
    element.height = Math.round(HEIGHT * devicePixelRatio);
    const context = element.getContext('2d')!;
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    paintMinimap(context, skyline, part, colorsOf(element), HEIGHT);
    element.dataset.painted = `${part.x0}-${part.x1}`;
  }, [skyline, part, width, dark]);

  const fractionAt = (event: PointerEvent) => {
    const box = canvas.current!.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  };
  const onPointerDown = (event: PointerEvent) => {
    if (event.button !== 0) return;
    const at = fractionAt(event);
    drag.current = grip(shownPart.peek(), at, EDGE / width);
    canvas.current!.setPointerCapture(event.pointerId);
    if (!isSamePart(shownPart.peek(), WHOLE)) steer(drag.current(at));
  };
  const onPointerMove = (event: PointerEvent) => {
    if (drag.current) steer(drag.current(fractionAt(event)));
  };
  const onPointerUp = () => {
    drag.current = undefined;
  };
  return (
    <div class="minimap-box">
      <canvas
        ref={canvas}
        class="minimap"
        aria-hidden="true"
        title="Drag to move or select; double click for the whole graph"
        onPointerDown={onPointerDown}
        onPointerMove={onPointerMove}
        onPointerUp={onPointerUp}
        onPointerCancel={onPointerUp}
        onDblClick={() => {
          letGo();
          showPart(WHOLE);
        }}
      />
    </div>
  );
}

/** What a drag that begins at a fraction does: draw a window where there is none, take an edge, or move the window. */
function grip(part: Part, from: number, edge: number): (at: number) => Part {
  const { x0, x1 } = part;
  if (isSamePart(part, WHOLE)) return (at) => partBetween(from, at);
  if (Math.abs(from - x0) < edge) return (at) => partBetween(at, x1);
  if (Math.abs(from - x1) < edge) return (at) => partBetween(x0, at);
  const isInside = from > x0 && from < x1;
  // Beside the window, the window comes to the pointer.
  const hold = isInside ? from : (x0 + x1) / 2;
  return (at) => movedPart(part, (at - hold) / (x1 - x0));
}

function colorsOf(element: HTMLElement) {
  const style = getComputedStyle(element);
  const color = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return {
    inside: color('chart-bar'),
    outside: color('chart-bar-outside'),
    match: palette.peek().match,
    edge: color('accent'),
    background: color('surface-sunken'),
  };
}
