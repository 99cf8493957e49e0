import { useEffect, useMemo, useState } from 'preact/hooks';
import type { CallTree } from '../../../core/flamegraph/call-tree.ts';
import { VirtualRows } from '../parts/virtual-rows.tsx';
import { formatChange, formatShare, formatValue } from '../state/format.ts';
import { frameName } from '../state/frame-facts.ts';
import { flameLayout, matched, selectedRow, shaped } from '../state/profile-model.ts';
import { actionOf } from '../state/shortcuts.ts';
import { hotPath, openRows, sameRows, siblingPlace } from '../state/tree-rows.ts';
import { pathTo } from '../state/tree-walk.ts';
import type { Shaped } from '../worker/messages.ts';
import { runAction, select, zoomTo } from './actions.ts';

const ROW_HEIGHT = 24;
/** Deeper rows are not indented further: their level is in a column. */
const MAX_INDENT = 40;

/** The flame graph as a table of rows that open and close: the same tree, selection and order. */
export function TreeView() {
  const current = shaped.value;
  if (!current) return null;
  return <TreeGrid current={current} />;
}

function TreeGrid({ current }: { current: Shaped }) {
  const { tree } = current;
  const width = flameLayout.value!.width;
  const selected = Math.min(selectedRow.value, tree.nameOf.length - 1);
  const [shown, setShown] = useState<{ tree: CallTree; rows: ReadonlySet<number> }>(() => ({
    tree,
    rows: new Set([...hotPath(tree, width), ...pathTo(tree, selected).slice(0, -1), 0]),
  }));
  // A refresh keeps open what was open.
  const expanded = useMemo(
    () => (shown.tree === tree ? shown.rows : sameRows(shown.tree, tree, shown.rows)),
    [shown, tree],
  );
  const setExpanded = (rows: ReadonlySet<number>) => setShown({ tree, rows });
  // What was selected elsewhere, in the graph or by search, opens up.
  useEffect(() => {
    const closed = pathTo(tree, selected)
      .slice(0, -1)
      .filter((row) => !expanded.has(row));
    if (closed.length > 0) setExpanded(new Set([...expanded, ...closed, 0]));
  }, [selected]);
  const rows = useMemo(() => openRows(tree, expanded), [tree, expanded]);
  const at = Math.max(0, rows.indexOf(selected));
  const hits = matched.value;

  const setOpen = (row: number, open: boolean) => {
    const next = new Set(expanded);
    if (open) for (const opened of hotPath(tree, width, row)) next.add(opened);
    else next.delete(row);
    setExpanded(next);
  };
  const hasChildren = (row: number) => tree.end[row] > row + 1;
  const right = (row: number) => {
    if (hasChildren(row) && !expanded.has(row)) setOpen(row, true);
    else if (hasChildren(row)) select(row + 1);
  };
  const left = (row: number) => {
    if (hasChildren(row) && expanded.has(row)) setOpen(row, false);
    else select(tree.parent[row]);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = rows[at];
    const go = (to: number) => select(rows[Math.max(0, Math.min(rows.length - 1, to))]);
    if (event.key === 'ArrowDown') go(at + 1);
    else if (event.key === 'ArrowUp') go(at - 1);
    else if (event.key === 'PageDown') go(at + 12);
    else if (event.key === 'PageUp') go(at - 12);
    else if (event.key === 'Home') go(0);
    else if (event.key === 'End') go(rows.length - 1);
    else if (event.key === 'ArrowRight') right(row);
    else if (event.key === 'ArrowLeft') left(row);
    else if (event.key === 'Enter') zoomTo(row);
    else {
      const action = actionOf(event);
      if (action === undefined || action === 'menu' || !runAction(action)) return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div
      id="tree-view"
      class={current.right ? 'grid grid-tree grid-tree-diff scroller' : 'grid grid-tree scroller'}
      role="treegrid"
      aria-label="Call tree"
      aria-rowcount={rows.length + 1}
      aria-activedescendant={`tree-${rows[at]}`}
      tabIndex={0}
      onKeyDown={onKeyDown}
    >
      <div role="rowgroup" class="grid-head">
        <div role="row" class="grid-row" aria-rowindex={1}>
          <div role="columnheader">Frame</div>
          <div role="columnheader">{current.right ? 'A total' : 'Self'}</div>
          <div role="columnheader">{current.right ? 'B total' : 'Total'}</div>
          <div role="columnheader">{current.right ? 'Change' : 'Share'}</div>
        </div>
      </div>
      <VirtualRows
        count={rows.length}
        rowHeight={ROW_HEIGHT}
        reveal={at}
        render={(i) => {
          const row = rows[i];
          const { place, count } = siblingPlace(tree, row);
          const open = expanded.has(row);
          const classes = ['grid-row'];
          if (i === at) classes.push('grid-active', 'grid-selected');
          if (hits?.[tree.nameOf[row]]) classes.push('grid-match');
          return (
            <div
              key={row}
              id={`tree-${row}`}
              role="row"
              class={classes.join(' ')}
              aria-level={tree.level[row] + 1}
              aria-setsize={count}
              aria-posinset={place}
              aria-expanded={hasChildren(row) ? open : undefined}
              aria-rowindex={i + 2}
              aria-selected={i === at}
              onClick={() => select(row)}
              onDblClick={() => zoomTo(row)}
            >
              <div
                role="rowheader"
                class="cell-name"
                style={{ paddingLeft: `${4 + Math.min(tree.level[row], MAX_INDENT) * 12}px` }}
                title={frameName(current, row)}
              >
                <span
                  class="twisty"
                  aria-hidden="true"
                  onClick={(event) => {
                    event.stopPropagation();
                    setOpen(row, !open);
                  }}
                >
                  {hasChildren(row) ? (open ? '▾' : '▸') : ''}
                </span>
                <span class="mono cell-text">{frameName(current, row)}</span>
              </div>
              <TreeCells current={current} row={row} />
            </div>
          );
        }}
      />
    </div>
  );
}

function TreeCells({ current, row }: { current: Shaped; row: number }) {
  const { tree, right, whole } = current;
  const value = (amount: number) => formatValue(amount * tree.scale, tree.unit);
  const shares = right
    ? formatChange(tree.total[row] / (whole.left || 1), right.total[row] / (whole.right || 1))
    : formatShare(tree.total[row], whole.left);
  return (
    <>
      <div role="gridcell" class="cell-number">
        <span class="cell-value">{value(right ? tree.total[row] : tree.self[row])}</span>
      </div>
      <div role="gridcell" class="cell-number">
        <span class="cell-value">{value(right ? right.total[row] : tree.total[row])}</span>
      </div>
      <div role="gridcell" class="cell-number">
        <span class="cell-value">{shares}</span>
      </div>
    </>
  );
}
