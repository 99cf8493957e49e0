import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';

export interface VirtualRowsProps {
  count: number;
  rowHeight: number;
  /** Row to keep in view, for instance the one that the keyboard is on. */
  reveal: number;
  render: (index: number) => ComponentChildren;
}

const EXTRA_ROWS = 6;

/** Rows of one height inside the nearest `.scroller`; only those in view are in the document. */
export function VirtualRows({ count, rowHeight, reveal, render }: VirtualRowsProps) {
  const body = useRef<HTMLDivElement>(null);
  const [range, setRange] = useState({ first: 0, last: 40 });
  useLayoutEffect(() => {
    const scroller = body.current?.closest<HTMLElement>('.scroller');
    if (!scroller || !body.current) return;
    const update = () => {
      const top = scroller.scrollTop - bodyTop(body.current!, scroller);
      const first = Math.max(0, Math.floor(top / rowHeight) - EXTRA_ROWS);
      const last = Math.ceil((top + scroller.clientHeight) / rowHeight) + EXTRA_ROWS;
      setRange((old) => (old.first === first && old.last === last ? old : { first, last }));
    };
    const observer = new ResizeObserver(update);
    observer.observe(scroller);
    scroller.addEventListener('scroll', update, { passive: true });
    return () => {
      observer.disconnect();
      scroller.removeEventListener('scroll', update);
    };
  }, [rowHeight]);
  useLayoutEffect(() => {
    const scroller = body.current?.closest<HTMLElement>('.scroller');
    if (!scroller || reveal < 0) return;
    const head = bodyTop(body.current!, scroller);
    const top = reveal * rowHeight;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + rowHeight + head > scroller.scrollTop + scroller.clientHeight) {
      scroller.scrollTop = top + rowHeight + head - scroller.clientHeight;
    }
  }, [reveal, rowHeight]);
  const last = Math.min(count, range.last);
  const rows: ComponentChildren[] = [];
  for (let i = Math.min(range.first, count); i < last; i++) rows.push(render(i));
  return (
    <div ref={body} role="rowgroup" class="virtual" style={{ height: `${count * rowHeight}px` }}>
      <div
        role="presentation"
        class="virtual-window"
        style={{ transform: `translateY(${Math.min(range.first, count) * rowHeight}px)` }}
      >
        {rows}
      </div>
    </div>
  );
}

/** How far below the scroller's top edge the rows start: the height of the sticky head. */
function bodyTop(body: HTMLElement, scroller: HTMLElement): number {
  return body.offsetTop - scroller.offsetTop < 0 ? 0 : body.offsetTop;
}
