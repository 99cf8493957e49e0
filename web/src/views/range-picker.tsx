import { useState } from 'preact/hooks';
import { Popover } from '../parts/popover.tsx';
import { utc } from '../state/preferences.ts';
import { clock } from '../state/profile-model.ts';
import {
  dayText,
  parsePastedRange,
  RANGE_PRESETS,
  rangeLabel,
  resolveRange,
  type TimeRange,
  timeText,
} from '../state/time-range.ts';

export interface RangePickerProps {
  label: string;
  range: TimeRange;
  onChange: (range: TimeRange) => void;
}

export function RangePicker({ label, range, onChange }: RangePickerProps) {
  const text = rangeLabel(range, utc.value);
  return (
    <Popover
      button={<span class="tabular">{text}</span>}
      label={`${label}: ${text}`}
      title={label}
      class="range-form"
    >
      {(close) => (
        <RangeForm
          range={range}
          onChange={(next) => {
            close();
            onChange(next);
          }}
        />
      )}
    </Popover>
  );
}

function RangeForm({ range, onChange }: { range: TimeRange; onChange: (range: TimeRange) => void }) {
  const span = resolveRange(range, clock.peek());
  const [from, setFrom] = useState(fieldText(span.start));
  const [to, setTo] = useState(fieldText(span.end));
  const [pasted, setPasted] = useState('');
  const absolute = parsePastedRange(`${from}..${to}`, clock.peek(), utc.value);
  const fromPaste = pasted === '' ? undefined : parsePastedRange(pasted, clock.peek(), utc.value);
  return (
    <div class="range-columns">
      <ul class="preset-list">
        {RANGE_PRESETS.map(({ seconds, label }) => (
          <li key={seconds}>
            <button
              type="button"
              class="preset"
              aria-pressed={range.kind === 'last' && range.seconds === seconds}
              onClick={() => onChange({ kind: 'last', seconds })}
            >
              {label}
            </button>
          </li>
        ))}
      </ul>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          const chosen = fromPaste ?? absolute;
          if (chosen) onChange(chosen);
        }}
      >
        <label>
          <span class="field-label">From</span>
          <input
            class="input tabular"
            value={from}
            onInput={(event) => setFrom(event.currentTarget.value)}
            data-autofocus
          />
        </label>
        <label>
          <span class="field-label">To</span>
          <input class="input tabular" value={to} onInput={(event) => setTo(event.currentTarget.value)} />
        </label>
        <label>
          <span class="field-label">Or paste a range</span>
          <input
            class="input"
            value={pasted}
            placeholder="2026-11-20 14:00..15:00 UTC"
            onInput={(event) => setPasted(event.currentTarget.value)}
          />
        </label>
        <p class="form-note" role="status">
          {rangeNote(pasted, fromPaste, absolute)}
        </p>
        <label class="checkbox">
          <input
            type="checkbox"
            checked={utc.value}
            onChange={(event) => {
              utc.value = event.currentTarget.checked;
              setFrom(fieldText(span.start));
              setTo(fieldText(span.end));
            }}
          />
          Times in UTC
        </label>
        <button
          type="submit"
          class="button button-primary"
          disabled={!(fromPaste ?? absolute) || (pasted !== '' && !fromPaste)}
        >
          Show this range
        </button>
      </form>
    </div>
  );
}

function rangeNote(
  pasted: string,
  fromPaste: TimeRange | undefined,
  absolute: TimeRange | undefined,
): string {
  if (pasted !== '')
    return fromPaste ? rangeLabel(fromPaste, utc.value) : 'That is no range that I can read.';
  return absolute ? '' : 'From must be before To, as 2026-11-20 14:00.';
}

function fieldText(time: number): string {
  return `${dayText(time, utc.value)} ${timeText(time, utc.value)}`;
}
