import { useMemo, useRef, useState } from 'preact/hooks';
import { layoutFlame } from '../../../core/flamegraph/layout.ts';
import type { TreeSides } from '../../../core/flamegraph/tree-sides.ts';
import type { FlameChartState } from '../canvas/flame-chart.ts';
import { announce } from '../state/announcer.ts';
import { formatShare, formatValue } from '../state/format.ts';
import { frameName, frameSentence } from '../state/frame-facts.ts';
import { view } from '../state/navigation.ts';
import { movedPart, type Part, partOfRow, scaledPart } from '../state/part.ts';
import { findPath, pathHash } from '../state/path-hash.ts';
import { isDark } from '../state/preferences.ts';
import { sandwichAnswer, shaped, widthsOf } from '../state/profile-model.ts';
import type { ActionId } from '../state/shortcuts.ts';
import { nextSibling, previousSibling, widerAncestor, widestChild } from '../state/tree-walk.ts';
import { openSandwich, runAction } from './actions.ts';
import { FlameCanvas } from './flame-canvas.tsx';
import { contextOf } from './frame-context.ts';
import { paintOf } from './frame-paint.ts';

/** Who calls a function, above it, and what it calls, below: both halves have the function's total. */
export function SandwichView() {
  const { pivot } = view.value;
  const current = shaped.value;
  const answer = sandwichAnswer.value;
  if (!current) return null;
  if (pivot === '') {
    return (
      <p class="panel-message">
        Choose a function in the table: Enter or a double click puts it in the middle.
      </p>
    );
  }
  const isSameKind = (answer?.callees.right !== undefined) === (current.right !== undefined);
  if (!answer || answer.name !== pivot || !isSameKind) {
    return (
      <div class="panel-message" role="status">
        <span class="spinner" aria-hidden="true" />
        Gathering callers and callees…
      </div>
    );
  }
  const { tree } = answer.callees;
  if (tree.nameOf.length === 1) {
    return <p class="panel-message">No stack in this selection holds “{pivot}”.</p>;
  }
  const total = formatValue(tree.total[0] * tree.scale, tree.unit);
  return (
    <div class="sandwich">
      <Half sides={answer.callers} what="Callers" pivot={pivot} flipped />
      <div class="sandwich-pivot">
        <strong class="mono">{pivot}</strong>
        <span class="tabular">
          {total} · {formatShare(tree.total[0], current.whole.left)} of all
        </span>
      </div>
      <Half sides={answer.callees} what="Callees" pivot={pivot} flipped={false} />
    </div>
  );
}

interface HalfProps {
  sides: TreeSides;
  what: string;
  pivot: string;
  flipped: boolean;
}

function Half({ sides, what, pivot, flipped }: HalfProps) {
  const layout = useMemo(() => layoutFlame(sides.tree, widthsOf(sides)), [sides, view.value.normalise]);
  const paint = useMemo(() => paintOf(sides, layout), [sides, layout, view.value.colour, isDark()]);
  const [row, setRow] = useState(1);
  const [zoom, setZoom] = useState(0);
  const [part, setPart] = useState<Part | undefined>(undefined);
  const shown = part ?? partOfRow(layout, zoom);
  const before = useRef({ sides, pivot });
  if (before.current.sides !== sides) {
    // A refresh stays where it was; another function starts anew.
    const { tree: old } = before.current.sides;
    const isSame = before.current.pivot === pivot;
    before.current = { sides, pivot };
    setRow(isSame ? Math.max(1, findPath(sides.tree, pathHash(old, row))) : 1);
    if (!isSame) setPart(undefined);
    setZoom(isSame && zoom > 0 ? Math.max(0, findPath(sides.tree, pathHash(old, zoom))) : 0);
  }
  const state = useMemo<FlameChartState>(
    () => ({
      ...paint,
      matched: undefined,
      zoomRow: zoom,
      part: shown,
      isSteered: part !== undefined,
      selectedRow: row,
      markedName: -1,
      flipped,
      hideRoot: true,
    }),
    [paint, zoom, row, flipped, shown.x0, shown.x1],
  );
  const context = contextOf(sides, zoom);
  const select = (next: number) => {
    const to = Math.max(1, next);
    setRow(to);
    announce(frameSentence(context, to));
  };
  const zoomTo = (next: number) => {
    setZoom(next <= 1 ? 0 : next);
    setPart(undefined);
    select(next);
  };
  const { tree } = sides;
  const steps: Partial<Record<ActionId, () => void>> = {
    // Up and down follow the screen: callers are drawn upwards.
    parent: () => select(flipped ? widestChild(tree, row, layout.width) : tree.parent[row]),
    child: () => select(flipped ? tree.parent[row] : widestChild(tree, row, layout.width)),
    previous: () => select(previousSibling(tree, row)),
    next: () => select(nextSibling(tree, row)),
    zoom: () => zoomTo(row),
    whole: () => zoomTo(0),
    magnify: () => setPart(scaledPart(shown, (shown.x0 + shown.x1) / 2, 0.5)),
    reduce: () => setPart(scaledPart(shown, (shown.x0 + shown.x1) / 2, 2)),
    'pan-left': () => setPart(movedPart(shown, -0.25)),
    'pan-right': () => setPart(movedPart(shown, 0.25)),
    sandwich: () => openSandwich(frameName(sides, row)),
  };
  const onAction = (id: ActionId) => {
    if (id === 'back-out' && part) setPart(undefined);
    else if (id === 'back-out' && zoom !== 0) zoomTo(widerAncestor(tree, zoom, layout.width));
    else if (steps[id]) steps[id]();
    else return runAction(id);
    return true;
  };
  const count = tree.nameOf.length - 2;
  return (
    <section class="sandwich-half" aria-label={what}>
      <h3 class="sandwich-title">{what}</h3>
      <FlameCanvas
        state={state}
        context={context}
        label={`${what} of ${pivot}`}
        summary={`${count} frames. Arrow keys move, Enter zooms, s puts a function in the middle.`}
        onSelect={select}
        onZoom={zoomTo}
        onSteer={setPart}
        onAction={onAction}
      />
    </section>
  );
}
