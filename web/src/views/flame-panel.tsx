import { KIND_LEGEND } from '../canvas/palette.ts';
import { ContextMenu, type MenuItem } from '../parts/menu.tsx';
import { formatCores, formatCount, formatShare, formatValue } from '../state/format.ts';
import { frameFacts, frameModule, frameName } from '../state/frame-facts.ts';
import { navigate, view } from '../state/navigation.ts';
import { coveredMs, flameLayout, isCpu, selectedRow, shaped, zoomRow } from '../state/profile-model.ts';
import { keysOf } from '../state/shortcuts.ts';
import { steer } from '../state/steering.ts';
import { ageText } from '../state/time-range.ts';
import { pathTo } from '../state/tree-walk.ts';
import type { Shaped } from '../worker/messages.ts';
import {
  addStep,
  copyText,
  frameMenuAt,
  openSandwich,
  runAction,
  select,
  selectedFunction,
  zoomTo,
} from './actions.ts';
import { FlameCanvas, hover } from './flame-canvas.tsx';
import { FlameMinimap } from './flame-minimap.tsx';
import { frameContext } from './frame-context.ts';
import { mainChart, palette } from './frame-paint.ts';

/** The main flame graph with its breadcrumbs and the menu of a frame. */
export function FlamePanel() {
  const chart = mainChart.value;
  const context = frameContext.value;
  const current = shaped.value;
  if (!chart || !context || !current) return null;
  return (
    <div class="flame-panel">
      <Breadcrumbs current={current} />
      <FlameMinimap />
      <FlameCanvas
        id="flame-graph"
        state={chart}
        context={context}
        label={`Flame graph, ${totalText(current)}`}
        summary={summaryOf(current)}
        onSelect={select}
        onZoom={zoomTo}
        onMenu={(_, x, y) => {
          frameMenuAt.value = { x, y };
        }}
        onDrop={(row) => row > 0 && addStep({ kind: 'drop', name: frameName(current, row) })}
        onSteer={steer}
        onAction={runAction}
      />
      <FrameMenu current={current} />
    </div>
  );
}

export function totalText(current: Shaped): string {
  const { tree, right, header } = current;
  const value = (amount: number) => formatValue(amount * tree.scale, tree.unit);
  if (right) return `A ${value(current.whole.left)}, B ${value(current.whole.right)}`;
  const covered = coveredMs.value;
  if (!isCpu.value || Number.isNaN(covered)) return value(current.whole.left);
  // Where much of the range has no data, cores are an average of the rest.
  const isPart = covered < 0.95 * (header.end - header.start);
  const part = isPart ? ` over ${ageText(covered)} with data` : '';
  return `${formatCores(current.whole.left * tree.scale, covered)}${part}, ${value(current.whole.left)}`;
}

function summaryOf(current: Shaped): string {
  const { tree, whole } = current;
  let hottest = 0;
  for (let row = 1; row < tree.self.length; row++) if (tree.self[row] > tree.self[hottest]) hottest = row;
  const hot =
    hottest > 0
      ? ` Most in one place: ${frameName(current, hottest)}, ${formatShare(tree.self[hottest], whole.left)}.`
      : '';
  const size = `${formatCount(tree.nameOf.length - 1)} frames, ${flameLayout.value?.depth ?? 0} levels.`;
  return `${totalText(current)}. ${size}${hot} Arrow keys move, Enter zooms, Escape zooms out, question mark lists all keys. The Tree view has the same as a table.`;
}

/** From the whole graph to the zoomed frame; long paths keep their ends. */
function Breadcrumbs({ current }: { current: Shaped }) {
  const row = zoomRow.value;
  if (row < 0) {
    return (
      <p class="breadcrumbs breadcrumbs-lost">
        The zoomed frame has no samples here.{' '}
        <button type="button" class="link" onClick={() => navigate({ zoom: '' })}>
          Show the whole graph
        </button>
      </p>
    );
  }
  const path = pathTo(current.tree, row);
  const shown = path.length > 5 ? [path[0], -1, ...path.slice(-3)] : path;
  return (
    <nav class="breadcrumbs" aria-label="Zoom">
      <ol>
        <li>
          {row === 0 ? (
            <span aria-current="location">All: {totalText(current)}</span>
          ) : (
            <button type="button" class="crumb" onClick={() => zoomTo(0)}>
              All
            </button>
          )}
        </li>
        {shown.map((at) => (
          <li key={at}>
            {at < 0 ? (
              <span>… {path.length - 4} more</span>
            ) : at === row ? (
              <span aria-current="location" class="mono crumb-text" title={frameName(current, at)}>
                {frameName(current, at)}
              </span>
            ) : (
              <button
                type="button"
                class="crumb mono"
                title={frameName(current, at)}
                onClick={() => zoomTo(at)}
              >
                {frameName(current, at)}
              </button>
            )}
          </li>
        ))}
      </ol>
      {row > 0 && (
        <span class="breadcrumbs-share tabular">
          {formatShare(current.tree.total[row], current.whole.left)} of all
        </span>
      )}
    </nav>
  );
}

function FrameMenu({ current }: { current: Shaped }) {
  const name = selectedFunction();
  const row = selectedRow.value;
  const module = row > 0 ? frameModule(current, row) : '';
  const items: MenuItem[] = [
    { label: 'Zoom to this frame', hint: keysOf('zoom'), onSelect: () => zoomTo(row) },
    { label: 'Whole graph', hint: '0', onSelect: () => zoomTo(0) },
  ];
  if (name !== undefined) {
    items.push(
      {
        label: 'Callers and callees',
        hint: keysOf('sandwich'),
        startsGroup: true,
        onSelect: () => openSandwich(name),
      },
      { label: 'Find all its frames', onSelect: () => navigate({ search: `^${escapeRegex(name)}$` }) },
      {
        label: 'Only what runs under it',
        hint: keysOf('focus'),
        startsGroup: true,
        onSelect: () => addStep({ kind: 'focus', name }),
      },
      {
        label: 'Merge it into its callers',
        hint: keysOf('hide'),
        onSelect: () => addStep({ kind: 'hide', name }),
      },
      { label: 'Drop stacks with it', hint: 'Alt+click', onSelect: () => addStep({ kind: 'drop', name }) },
    );
    if (module !== '') {
      items.push({
        label: `Collapse module ${module.slice(module.lastIndexOf('/') + 1)}`,
        hint: keysOf('collapse-module'),
        onSelect: () => addStep({ kind: 'collapse-module', module }),
      });
    }
    items.push({
      label: 'Copy name',
      hint: keysOf('copy-name'),
      startsGroup: true,
      onSelect: () => void copyText(name, 'Name'),
    });
  }
  return (
    <ContextMenu
      title={name === undefined ? 'Whole graph' : name}
      at={frameMenuAt.value}
      items={items}
      onClose={() => {
        frameMenuAt.value = undefined;
      }}
    />
  );
}

function escapeRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

/** One line about the frame under the pointer, else about the selected one. */
export function StatusLine() {
  const context = frameContext.value;
  if (!context) return <div class="status-line" />;
  const hovered = hover.value;
  const own = hovered ? hovered.context : context;
  const row = Math.min(
    hovered ? hovered.row : Math.max(selectedRow.value, 0),
    own.sides.tree.nameOf.length - 1,
  );
  const module = frameModule(own.sides, row);
  return (
    <div class="status-line" aria-hidden="true">
      <span class="mono status-name">{row === 0 ? 'Everything' : frameName(own.sides, row)}</span>
      {module && <span class="status-module">{module}</span>}
      <span class="spacer" />
      {frameFacts(own, row).map(({ label, value, detail }) => (
        <span key={label} class="status-fact tabular">
          {label} <b>{value}</b> {detail && <span class="status-detail">{detail}</span>}
        </span>
      ))}
    </div>
  );
}

export function DroppedNote() {
  const current = shaped.value;
  if (!current) return null;
  const { dropped, whole, header, tree } = current;
  const notes: string[] = [];
  const all = whole.left + whole.right;
  if (dropped.left + dropped.right > 0)
    notes.push(`${formatShare(dropped.left + dropped.right, all)} of samples left out by steps`);
  if (header.trimmed.nodes > 0) {
    notes.push(
      `${formatCount(header.trimmed.nodes)} small frames trimmed, ${formatShare(header.trimmed.value, all)} of samples`,
    );
  }
  if (header.rounded) notes.push('values rounded');
  if (notes.length === 0 || tree.nameOf.length === 1) return null;
  return <p class="dropped-note">{notes.join(' · ')}</p>;
}

/** What the fixed colours mean, when the graph is coloured by kind of code. */
export function KindLegend() {
  if (view.value.colour !== 'kind' || !shaped.value || shaped.value.right) return null;
  return (
    <p class="dropped-note legend">
      {KIND_LEGEND.map(({ label, index }) => (
        <span key={label} class="legend-entry">
          <span class="swatch" style={{ backgroundColor: palette.value.fills[index] }} aria-hidden="true" />
          {label}
        </span>
      ))}
    </p>
  );
}
