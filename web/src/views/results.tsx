import { view } from '../state/navigation.ts';
import { profileType, reshapeError, services, shaped, treeLoad } from '../state/profile-model.ts';
import { EmptyState } from './empty-state.tsx';
import { DroppedNote, FlamePanel, KindLegend, StatusLine } from './flame-panel.tsx';
import { PanelState } from './panel-state.tsx';
import { SandwichView } from './sandwich-view.tsx';
import { Toolbar } from './toolbar.tsx';
import { TopTable } from './top-table.tsx';
import { TreeView } from './tree-view.tsx';

/** Flame graph, table, sandwich and tree: whatever the toolbar chose, or why there is nothing. */
export function Results() {
  const current = shaped.value;
  const isEmpty = current !== undefined && current.whole.left + current.whole.right === 0;
  const nothingKnown = current === undefined && services.value.data !== undefined && profileType.value === '';
  return (
    <section class="panel results" aria-label="Result" id="results">
      <Toolbar />
      <div class="results-body">
        {isEmpty || nothingKnown ? <EmptyState /> : current && <Arranged />}
        <PanelState
          load={current || treeLoad.value.loading || treeLoad.value.error ? treeState() : services.value}
          what="flame graph"
        />
        {reshapeError.value !== '' && (
          <p class="panel-message panel-error" role="alert">
            {reshapeError.value}
          </p>
        )}
      </div>
      <DroppedNote />
      <KindLegend />
      {!isEmpty && <StatusLine />}
    </section>
  );
}

/** Old data of the other page does not count as something to show. */
function treeState() {
  return { ...treeLoad.value, data: shaped.value };
}

function Arranged() {
  const { arrangement } = view.value;
  if (arrangement === 'tree') return <TreeView />;
  if (arrangement === 'table') return <TopTable />;
  if (arrangement === 'flame') return <FlamePanel />;
  return (
    <div class="split">
      <div class="split-table">
        <TopTable />
      </div>
      <div class="split-graph">{arrangement === 'sandwich' ? <SandwichView /> : <FlamePanel />}</div>
    </div>
  );
}
