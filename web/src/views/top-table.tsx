import type { RefObject } from 'preact';
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { colorNames } from '../canvas/palette.ts';
import { VirtualRows } from '../parts/virtual-rows.tsx';
import { formatChange, formatShare, formatValue, signed } from '../state/format.ts';
import { shortenName } from '../state/frame-name.ts';
import { navigate, view } from '../state/navigation.ts';
import { matched, selectedRow, shaped, sideFactors, tableAnswer } from '../state/profile-model.ts';
import { actionOf } from '../state/shortcuts.ts';
import { selfChange, tableOrder } from '../state/table-rows.ts';
import { nextWanted } from '../state/tree-walk.ts';
import type { SortColumn } from '../state/view-state.ts';
import type { Shaped, TableAnswer } from '../worker/messages.ts';
import { openSandwich, runAction, select } from './actions.ts';
import { palette } from './frame-paint.ts';

const ROW_HEIGHT = 24;
/** Of the 12-pixel monospace font, and what swatch and padding take. */
const CHAR_WIDTH = 7.25;
const SWATCH_ROOM = 34;

interface Column {
  sort: SortColumn;
  label: string;
  title: string;
}

const PLAIN_COLUMNS: Column[] = [
  { sort: 'name', label: 'Function', title: 'Sort by name' },
  { sort: 'self', label: 'Self', title: 'Samples that end in the function' },
  { sort: 'total', label: 'Total', title: 'Samples with the function on their stack; recursion counts once' },
];

const DIFF_COLUMNS: Column[] = [
  { sort: 'name', label: 'Function', title: 'Sort by name' },
  { sort: 'before', label: 'A self', title: 'Self value of the baseline' },
  { sort: 'after', label: 'B self', title: 'Self value of the comparison' },
  { sort: 'delta', label: 'Change', title: 'Size of the change of self' },
];

/** Functions by self, total or change. The search filters it; a row selects the function in the graph. */
export function TopTable() {
  const current = shaped.value;
  const answer = tableAnswer.value;
  if (!current) return null;
  if (!answer || answer.generation !== current.generation) {
    return (
      <div class="panel-message" role="status">
        <span class="spinner" aria-hidden="true" />
        Counting the functions…
      </div>
    );
  }
  return <Table current={current} answer={answer} />;
}

function Table({ current, answer }: { current: Shaped; answer: TableAnswer }) {
  const { sort: chosen, ascending, colour, search } = view.value;
  const isDiff = answer.right !== undefined;
  const columns = isDiff ? DIFF_COLUMNS : PLAIN_COLUMNS;
  const sort = columns.find((column) => column.sort === chosen)?.sort ?? (isDiff ? 'delta' : 'self');
  const factors = sideFactors.value;
  const hits = matched.value;
  const order = useMemo(
    () => tableOrder({ tree: current.tree, ...answer, factors, matched: hits, sort, ascending }),
    [answer, factors, hits, sort, ascending],
  );
  const colors = useMemo(() => colorNames(current.tree, colour), [current.tree, colour]);
  const [active, setActive] = useState(0);
  const grid = useRef<HTMLDivElement>(null);
  const nameColumns = useNameColumns(grid, isDiff ? 308 : 264);
  const row = Math.min(active, Math.max(0, order.length - 1));
  const selectedName = selectedRow.value > 0 ? current.tree.nameOf[selectedRow.value] : -1;

  const activate = (to: number) => {
    const next = Math.max(0, Math.min(order.length - 1, to));
    setActive(next);
    const name = order[next];
    if (name !== undefined) select(nextWanted(current.tree, 0, (id) => id === name, 1));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const page = 12;
    const moves: Record<string, number> = {
      ArrowDown: row + 1,
      ArrowUp: row - 1,
      PageDown: row + page,
      PageUp: row - page,
      Home: 0,
      End: order.length - 1,
    };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in moves) activate(moves[event.key]);
    else if (event.key === 'Enter' && order[row] !== undefined) openSandwich(current.tree.names[order[row]]);
    else {
      const action = actionOf(event);
      if (action === undefined || action === 'menu' || !runAction(action)) return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div
      ref={grid}
      class={isDiff ? 'grid grid-diff scroller' : 'grid grid-top scroller'}
      role="grid"
      aria-label="Top functions"
      aria-rowcount={order.length + 1}
      aria-activedescendant={order.length > 0 ? `top-${order[row]}` : undefined}
      tabIndex={0}
      onKeyDown={onKeyDown}
      id="top-table"
    >
      <div role="rowgroup" class="grid-head">
        <div role="row" class="grid-row" aria-rowindex={1}>
          {columns.map((column) => (
            <HeadCell key={column.sort} column={column} sort={sort} ascending={ascending} />
          ))}
        </div>
      </div>
      <VirtualRows
        count={order.length}
        rowHeight={ROW_HEIGHT}
        reveal={row}
        render={(i) => {
          const name = order[i];
          const classes = ['grid-row'];
          if (i === row) classes.push('grid-active');
          if (name === selectedName) classes.push('grid-selected');
          return (
            <div
              key={name}
              id={`top-${name}`}
              role="row"
              class={classes.join(' ')}
              aria-rowindex={i + 2}
              aria-selected={name === selectedName}
              onClick={() => activate(i)}
              onDblClick={() => openSandwich(current.tree.names[name])}
            >
              <NameCell
                current={current}
                name={name}
                color={palette.value.fills[colors[name]]}
                columns={nameColumns}
              />
              {isDiff ? (
                <DiffCells current={current} answer={answer} factors={factors} name={name} />
              ) : (
                <PlainCells current={current} answer={answer} name={name} />
              )}
            </div>
          );
        }}
      />
      {order.length === 0 && (
        <p class="grid-empty">{search === '' ? 'No functions.' : `No function matches “${search}”.`}</p>
      )}
    </div>
  );
}

function HeadCell({ column, sort, ascending }: { column: Column; sort: SortColumn; ascending: boolean }) {
  const isSorted = sort === column.sort;
  const next = isSorted ? !ascending : column.sort === 'name';
  return (
    <div role="columnheader" aria-sort={isSorted ? (ascending ? 'ascending' : 'descending') : 'none'}>
      <button
        type="button"
        class="sort"
        title={column.title}
        onClick={() => navigate({ sort: column.sort, ascending: next }, 'replace')}
      >
        {column.label}
        <span aria-hidden="true" class="sort-arrow">
          {isSorted ? (ascending ? '↑' : '↓') : ''}
        </span>
      </button>
    </div>
  );
}

/** How many characters of a name fit beside the numbers' columns, which are `taken` pixels wide. */
function useNameColumns(grid: RefObject<HTMLDivElement | null>, taken: number): number {
  const [columns, setColumns] = useState(30);
  useLayoutEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      const room = entry.contentRect.width - taken - SWATCH_ROOM;
      setColumns(Math.max(4, Math.floor(room / CHAR_WIDTH)));
    });
    observer.observe(grid.current!);
    return () => observer.disconnect();
  }, [taken]);
  return columns;
}

interface NameCellProps {
  current: Shaped;
  name: number;
  color: string;
  columns: number;
}

function NameCell({ current, name, color, columns }: NameCellProps) {
  const text = current.tree.names[name] || '(anonymous)';
  const module = current.tree.modules[current.tree.moduleOf[name]];
  return (
    <div role="rowheader" class="cell-name" aria-label={text} title={module ? `${text}\n${module}` : text}>
      <span class="swatch" style={{ backgroundColor: color }} aria-hidden="true" />
      <span class="mono cell-text">{shortenName(text, columns)}</span>
    </div>
  );
}

function PlainCells({ current, answer, name }: { current: Shaped; answer: TableAnswer; name: number }) {
  const { tree, whole } = current;
  const cell = (value: number) => (
    <div role="gridcell" class="cell-number">
      <span class="cell-bar" style={{ width: `${(100 * value) / whole.left}%` }} aria-hidden="true" />
      <span class="cell-value">{formatValue(value * tree.scale, tree.unit)}</span>
      <span class="cell-share">{formatShare(value, whole.left)}</span>
    </div>
  );
  return (
    <>
      {cell(answer.left.self[name])}
      {cell(answer.left.total[name])}
    </>
  );
}

interface DiffCellsProps {
  current: Shaped;
  answer: TableAnswer;
  factors: { left: number; right: number };
  name: number;
}

function DiffCells({ current, answer, factors, name }: DiffCellsProps) {
  const { tree } = current;
  const a = answer.left.self[name];
  const b = answer.right!.self[name];
  const value = (amount: number) => formatValue(amount * tree.scale, tree.unit);
  const change = selfChange({ ...answer, factors }, name);
  const grew = change > 0;
  return (
    <>
      <div role="gridcell" class="cell-number">
        <span class="cell-value">{value(a)}</span>
      </div>
      <div role="gridcell" class="cell-number">
        <span class="cell-value">{value(b)}</span>
      </div>
      <div
        role="gridcell"
        class={change === 0 ? 'cell-number' : grew ? 'cell-number cell-grew' : 'cell-number cell-shrank'}
      >
        <span class="cell-value">
          {change === 0 ? '' : grew ? '▲ ' : '▼ '}
          {changeText(change, current)}
        </span>
        <span class="cell-share">{formatChange(a * factors.left, b * factors.right)}</span>
      </div>
    </>
  );
}

/** In points of share, or in value per second: whatever the diff is normalised by. */
function changeText(change: number, { tree }: Shaped): string {
  if (view.value.normalise === 'share')
    return signed(change * 100, (magnitude) => `${magnitude.toFixed(2)} pt`);
  return signed(change * tree.scale, (magnitude) => `${formatValue(magnitude, tree.unit)}/s`);
}
