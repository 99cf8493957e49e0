import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { placeAt } from '../parts/anchored.ts';
import { frameFacts, frameKind, frameModule, frameName } from '../state/frame-facts.ts';
import { hover, toggleFreeze, unfreeze } from './flame-canvas.tsx';

/** Follows the pointer; Shift freezes it, so that its text can be selected. */
export function FrameTooltip() {
  const box = useRef<HTMLDivElement>(null);
  const current = hover.value;
  useLayoutEffect(() => {
    if (current && box.current) placeAt(box.current, current.x + 14, current.y + 16);
  }, [current?.x, current?.y, current?.row]);
  useEffect(() => {
    // Shift alone, pressed and let go: with a letter it is a capital, with the arrow keys something else again.
    let alone = false;
    const onKeyDown = (event: KeyboardEvent) => {
      alone = event.key === 'Shift' && !(event.target as Element | null)?.matches?.('input, select');
      if (event.key !== 'Escape' || !hover.peek()?.frozen) return;
      unfreeze();
      event.stopPropagation();
    };
    const onKeyUp = (event: KeyboardEvent) => {
      if (event.key === 'Shift' && alone) toggleFreeze();
      alone = false;
    };
    // Before the graph's own handler, whose Esc zooms out.
    addEventListener('keydown', onKeyDown, { capture: true });
    addEventListener('keyup', onKeyUp);
    return () => {
      removeEventListener('keydown', onKeyDown, { capture: true });
      removeEventListener('keyup', onKeyUp);
    };
  }, []);
  if (!current || current.row >= current.context.sides.tree.nameOf.length) return null;
  const { context, row, frozen } = current;
  const module = frameModule(context.sides, row);
  const kind = frameKind(context.sides, row);
  return (
    <div ref={box} class={frozen ? 'tooltip tooltip-frozen' : 'tooltip'} aria-hidden="true">
      <div class="tooltip-name">{frameName(context.sides, row)}</div>
      {(module || kind) && <div class="tooltip-module">{[kind, module].filter(Boolean).join(' · ')}</div>}
      <table class="facts">
        <tbody>
          {frameFacts(context, row).map(({ label, value, detail }) => (
            <tr key={label}>
              <th scope="row">{label}</th>
              <td>{value}</td>
              <td class="fact-detail">{detail}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <div class="tooltip-hint">
        {frozen ? 'Frozen — Esc or Shift lets go' : 'Click zooms · right click for more · Shift freezes'}
      </div>
    </div>
  );
}
