import { useLayoutEffect, useRef } from 'preact/hooks';
import { placeAt } from '../parts/anchored.ts';
import { frameFacts, frameKind, frameModule, frameName } from '../state/frame-facts.ts';
import { hover } from './flame-canvas.tsx';

/** Follows the pointer; Shift freezes it, so that its text can be selected. */
export function FrameTooltip() {
  const box = useRef<HTMLDivElement>(null);
  const current = hover.value;
  useLayoutEffect(() => {
    if (current && box.current) placeAt(box.current, current.x + 14, current.y + 16);
  }, [current?.x, current?.y, current?.row]);
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
