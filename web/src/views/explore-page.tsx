import { navigate, view } from '../state/navigation.ts';
import { utc } from '../state/preferences.ts';
import { clock, isCpu, isLive, outerSpan, refresh, split, timeline } from '../state/profile-model.ts';
import { timeText } from '../state/time-range.ts';
import { shiftWindow, zoomTime } from './actions.ts';
import { CompletenessBadge } from './completeness-badge.tsx';
import { QueryBar } from './query-bar.tsx';
import { RangePicker } from './range-picker.tsx';
import { Results } from './results.tsx';
import { SplitPanel, SplitPicker } from './split-bar.tsx';
import { TimelinePanel } from './timeline-panel.tsx';

export function ExplorePage() {
  const { selection, chart } = view.value;
  return (
    <>
      <div class="query" role="group" aria-label="Query">
        <QueryBar />
        <SplitPicker />
        <span class="spacer" />
        <CompletenessBadge />
        <TimeControls />
      </div>
      <TimelinePanel
        label="Timeline"
        load={timeline.value}
        window={outerSpan.value}
        selection={selection}
        isCpu={isCpu.value}
        split={chart === 'bars' ? split.value : undefined}
        onBrush={(next) => navigate({ selection: next }, next && selection ? 'replace' : 'push')}
        onZoom={zoomTime}
      >
        <SplitPanel />
      </TimelinePanel>
      {selection && (
        <p class="selection-note">
          The graph shows the brushed part of the range.{' '}
          <button type="button" class="link" onClick={zoomTime}>
            Make it the range
          </button>{' '}
          <button type="button" class="link" onClick={() => navigate({ selection: undefined })}>
            Clear
          </button>
        </p>
      )}
      <Results />
    </>
  );
}

export function TimeControls() {
  const { range, live } = view.value;
  const isMoving = range.kind === 'last';
  return (
    <div class="time-controls" role="group" aria-label="Time">
      <button
        type="button"
        class="button icon-button"
        aria-label="One window earlier"
        title="["
        onClick={() => shiftWindow(-1)}
      >
        ‹
      </button>
      <RangePicker
        label="Time range"
        range={range}
        onChange={(next) => navigate({ range: next, selection: undefined })}
      />
      <button
        type="button"
        class="button icon-button"
        aria-label="One window later"
        title="]"
        onClick={() => shiftWindow(1)}
      >
        ›
      </button>
      {isMoving ? (
        <button
          type="button"
          class="button"
          aria-pressed={live}
          title={`Refreshes every 10 s; last at ${timeText(clock.value, utc.value)}`}
          onClick={() => {
            navigate({ live: !live }, 'replace');
            if (!live) refresh();
          }}
        >
          <span class={isLive.value ? 'dot dot-live' : 'dot'} aria-hidden="true" />
          Live
        </button>
      ) : (
        <button
          type="button"
          class="button"
          onClick={() => navigate({ range: { kind: 'last', seconds: 3600 }, selection: undefined })}
        >
          Now
        </button>
      )}
      <button type="button" class="button icon-button" aria-label="Refresh" onClick={refresh}>
        ↻
      </button>
    </div>
  );
}
