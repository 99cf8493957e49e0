import { formatChange, formatCores, formatShare, formatValue, signed } from '../state/format.ts';
import { navigate, view } from '../state/navigation.ts';
import { utc } from '../state/preferences.ts';
import {
  baselineCoveredMs,
  baselineSpan,
  baselineTimeline,
  coveredMs,
  isCpu,
  outerSpan,
  shaped,
  shownSpan,
  sideFactors,
  tableAnswer,
  timeline,
} from '../state/profile-model.ts';
import { selfChange } from '../state/table-rows.ts';
import { spanText } from '../state/time-range.ts';
import type { BaselineRange } from '../state/view-state.ts';
import { swapSides, zoomTime } from './actions.ts';
import { CompletenessBadge } from './completeness-badge.tsx';
import { TimeControls } from './explore-page.tsx';
import { FilterBar, ProfileTypePicker, ServicePicker } from './query-bar.tsx';
import { RangePicker } from './range-picker.tsx';
import { Results } from './results.tsx';
import { TimelinePanel } from './timeline-panel.tsx';

const PRESETS: { label: string; range: BaselineRange }[] = [
  { label: 'Previous period', range: { kind: 'period' } },
  { label: '24 h before', range: { kind: 'earlier', seconds: 86_400 } },
  { label: '7 d before', range: { kind: 'earlier', seconds: 7 * 86_400 } },
];

/** Two queries over one profile type: A is the baseline, B what is compared with it. */
export function DiffPage() {
  const { service, filters, baseline, selection } = view.value;
  const setBaseline = (change: Partial<typeof baseline>) =>
    navigate({ baseline: { ...baseline, ...change } });
  return (
    <>
      <div class="query" role="group" aria-label="Baseline A">
        <span class="side-badge side-a">A</span>
        <ServicePicker
          value={baseline.service ?? service}
          onChange={(next) => setBaseline({ service: next })}
        />
        <FilterBar
          service={baseline.service ?? service}
          filters={baseline.filters ?? filters}
          onChange={(next) => setBaseline({ filters: next })}
        />
        <span class="spacer" />
        <div class="segments" role="group" aria-label="Range of A">
          {PRESETS.map(({ label, range }) => (
            <button
              key={label}
              type="button"
              class="segment"
              aria-pressed={JSON.stringify(baseline.range) === JSON.stringify(range)}
              onClick={() => setBaseline({ range })}
            >
              {label}
            </button>
          ))}
        </div>
        <RangePicker
          label="Own range of A"
          range={{ kind: 'between', ...baselineSpan.value }}
          onChange={(next) => next.kind === 'between' && setBaseline({ range: next })}
        />
      </div>
      <TimelinePanel
        label="Timeline of A"
        load={baselineTimeline.value}
        window={baselineSpan.value}
        selection={undefined}
        isCpu={isCpu.value}
        compact
      />
      <div class="query" role="group" aria-label="Comparison B">
        <span class="side-badge side-b">B</span>
        <ServicePicker value={service} onChange={(next) => navigate({ service: next })} />
        <ProfileTypePicker />
        <FilterBar service={service} filters={filters} onChange={(next) => navigate({ filters: next })} />
        <button type="button" class="button" title="x" onClick={swapSides}>
          ⇄ Swap
        </button>
        <span class="spacer" />
        <CompletenessBadge />
        <TimeControls />
      </div>
      <TimelinePanel
        label="Timeline of B"
        load={timeline.value}
        window={outerSpan.value}
        selection={selection}
        isCpu={isCpu.value}
        compact
        onBrush={(next) => navigate({ selection: next }, next && selection ? 'replace' : 'push')}
        onZoom={zoomTime}
      />
      <Verdict />
      <Results />
    </>
  );
}

/** What the diff comes to, in one line, and by what measure. */
function Verdict() {
  const current = shaped.value;
  const { normalise } = view.value;
  return (
    <div class="verdict">
      <p>
        {current?.right && baselineCoveredMs.value > 0 && coveredMs.value > 0
          ? verdictText()
          : `A: ${spanText(baselineSpan.value, utc.value)} · B: ${spanText(shownSpan.value, utc.value)}`}
      </p>
      <div class="segments" role="group" aria-label="Compare by">
        {(['share', 'absolute'] as const).map((mode) => (
          <button
            key={mode}
            type="button"
            class="segment"
            aria-pressed={normalise === mode}
            onClick={() => navigate({ normalise: mode })}
          >
            {mode === 'share' ? 'Share of each side' : 'Absolute, per second'}
          </button>
        ))}
      </div>
      <DiffLegend />
    </div>
  );
}

function DiffLegend() {
  return (
    <p class="legend">
      <span class="swatch swatch-shrank" aria-hidden="true" /> ▼ less in B
      <span class="swatch swatch-same" aria-hidden="true" /> same
      <span class="swatch swatch-grew" aria-hidden="true" /> ▲ more in B
      <span class="swatch swatch-only" aria-hidden="true" /> only in one
    </p>
  );
}

function verdictText(): string {
  const { whole, tree } = shaped.value!;
  if (whole.left === 0 && whole.right === 0) return 'Neither side has samples.';
  if (whole.left === 0) return 'A has no samples: everything is new.';
  if (whole.right === 0) return 'B has no samples: everything is gone.';
  const a = whole.left / baselineCoveredMs.value;
  const b = whole.right / coveredMs.value;
  const amount = (perMs: number) =>
    isCpu.value
      ? formatCores(perMs * tree.scale, 1)
      : `${formatValue(perMs * tree.scale * 1000, tree.unit)} per second`;
  return `B uses ${amount(b)}, A ${amount(a)}: ${signed(b - a, amount)} (${formatChange(a, b)}).${largestChange()}`;
}

function largestChange(): string {
  const answer = tableAnswer.value;
  const current = shaped.value!;
  if (!answer?.right || answer.generation !== current.generation) return '';
  const factors = sideFactors.value;
  let sum = 0;
  let largest = 0;
  let best = -1;
  for (let name = 1; name < answer.left.self.length; name++) {
    const change = Math.abs(selfChange({ ...answer, factors }, name));
    sum += change;
    if (change > largest) {
      largest = change;
      best = name;
    }
  }
  if (best < 0) return ' No function changed.';
  return ` Largest change: ${current.tree.names[best]}, ${formatShare(largest, sum)} of all change.`;
}
