import { useState } from 'preact/hooks';
import { partColor } from '../canvas/paint-timeline.ts';
import { Combobox } from '../parts/combobox.tsx';
import type { ComboboxOption } from '../parts/filter-options.ts';
import { labelNames } from '../state/api.ts';
import { formatShare } from '../state/format.ts';
import { navigate, view } from '../state/navigation.ts';
import { outerSpan, split, splitError } from '../state/profile-model.ts';
import { filterText, selectorOf } from '../state/selector.ts';
import { partName, SPLIT_MOST, type SplitPart } from '../state/split.ts';
import { Heatmap } from './heatmap.tsx';

/** Has a picker of its own. */
const SERVICE = 'service_name';

const NONE: ComboboxOption = { value: '', label: 'nothing' };

/** Chooses the label that the timeline is split by. */
export function SplitPicker() {
  const { split: label, service, filters } = view.value;
  const [names, setNames] = useState<string[]>([]);
  const [note, setNote] = useState<string | undefined>(undefined);
  const load = async () => {
    setNote('Loading…');
    try {
      const abort = AbortSignal.timeout(10_000);
      setNames(await labelNames(outerSpan.peek(), selectorOf(service, filters), abort));
      setNote(undefined);
    } catch (error) {
      setNote(`No suggestions: ${(error as Error).message}`);
    }
  };
  const options = names
    .filter((name) => !name.startsWith('__'))
    .map((name) => ({ value: name, label: name }));
  return (
    <div class="split-picker">
      <span aria-hidden="true">Split by</span>
      <Combobox
        label="Split the timeline by"
        value={label}
        options={[NONE, ...options]}
        note={note}
        free
        onOpen={() => void load()}
        onChange={(chosen) => navigate({ split: chosen === NONE.label ? '' : chosen.trim() })}
      />
    </div>
  );
}

const CHARTS = [
  { id: 'bars', label: 'Bars' },
  { id: 'heatmap', label: 'Heatmap' },
] as const;

/** Under the timeline: how the split is drawn, and the legend of its bars or the heatmap itself. */
export function SplitPanel() {
  const { split: label, chart } = view.value;
  const problem = splitError.value;
  if (label === '') return null;
  return (
    <div class="split-panel">
      <div class="segments" role="group" aria-label="Draw the split as">
        {CHARTS.map(({ id, label: text }) => (
          <button
            key={id}
            type="button"
            class="segment"
            aria-pressed={chart === id}
            onClick={() => navigate({ chart: id })}
          >
            {text}
          </button>
        ))}
      </div>
      {problem !== undefined && <p class="soft">It could not be split: {problem}</p>}
      {problem === undefined && !split.value && <p class="soft">Splitting…</p>}
      {chart === 'bars' ? <SplitLegend /> : <Heatmap />}
    </div>
  );
}

/** The parts in the order of their bars, each a way to see only it. */
function SplitLegend() {
  const now = split.value;
  if (!now) return null;
  const whole = now.parts.reduce((sum, { total }) => sum + total, 0);
  return (
    <ul class="split-legend" aria-label={`Timeline by ${now.label}`}>
      {now.parts.map((part, i) => (
        <li key={part.value ?? '\u0000'}>
          <LegendEntry label={now.label} name={partName(now, part)} part={part} whole={whole} at={i} />
        </li>
      ))}
    </ul>
  );
}

interface LegendEntryProps {
  label: string;
  name: string;
  part: SplitPart;
  whole: number;
  at: number;
}

function LegendEntry({ label, name, part, whole, at }: LegendEntryProps) {
  const { value } = part;
  const colors = { parts: partVariables() };
  const content = (
    <>
      <span class="swatch" style={{ backgroundColor: partColor(colors, value, at) }} aria-hidden="true" />
      <span class="split-name">{name}</span>{' '}
      <span class="tabular soft">{formatShare(part.total, whole)}</span>
    </>
  );
  if (value === undefined || value === '') return <span class="split-entry">{content}</span>;
  return (
    <button
      type="button"
      class="split-entry split-button"
      title={`Show only ${filterText({ name: label, operator: '=', value })}`}
      onClick={() => showOnly(label, value)}
    >
      {content}
    </button>
  );
}

/** Selects one value of the label; what is left is not worth splitting by it. */
export function showOnly(label: string, value: string): void {
  const { filters } = view.peek();
  const filter = { name: label, operator: '=' as const, value };
  const only = label === SERVICE ? { service: value } : { filters: [...filters, filter] };
  navigate({ ...only, split: '', chart: 'bars' });
}

/** The style sheet's colours of parts, the rest's last. */
export function partVariables(read: (name: string) => string = (name) => `var(--${name})`): string[] {
  const own = Array.from({ length: SPLIT_MOST }, (_, i) => read(`part-${i + 1}`));
  return [...own, read('part-rest')];
}
