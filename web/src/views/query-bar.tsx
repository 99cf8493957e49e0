import { useState } from 'preact/hooks';
import { Combobox } from '../parts/combobox.tsx';
import type { ComboboxOption } from '../parts/filter-options.ts';
import { Popover } from '../parts/popover.tsx';
import { labelNames, labelValues } from '../state/api.ts';
import { navigate, view } from '../state/navigation.ts';
import { clock, outerSpan, profileType, profileTypes, services } from '../state/profile-model.ts';
import { profileTypeName } from '../state/profile-type.ts';
import {
  filterText,
  type LabelFilter,
  type MatchOperator,
  OPERATORS,
  parseFilter,
  selectorOf,
} from '../state/selector.ts';
import { ageText, type Span } from '../state/time-range.ts';

const ALL = '';

/** Services that can be chosen; '' is all of them. */
function serviceOptions(): ComboboxOption[] {
  const known = services.value.data ?? [];
  const age = (lastSeen: number) => {
    const ms = clock.value - lastSeen;
    return ms < 120_000 ? 'now' : `${ageText(ms)} ago`;
  };
  return [
    { value: ALL, label: 'All services', detail: known.length === 0 ? '' : String(known.length) },
    ...known.map(({ name, lastSeenMs }) => ({ value: name, label: name, detail: age(lastSeenMs) })),
  ];
}

export function ServicePicker({ value, onChange }: { value: string; onChange: (service: string) => void }) {
  return (
    <div class="service-picker">
      <Combobox
        label="Service"
        value={value}
        options={serviceOptions()}
        free
        note={
          services.value.loading && !services.value.data
            ? 'Loading the services…'
            : services.value.error?.message
        }
        onChange={(typed) => onChange(typed === 'All services' ? ALL : typed.trim())}
      />
    </div>
  );
}

export function ProfileTypePicker() {
  const chosen = profileType.value;
  const ids =
    profileTypes.value.includes(chosen) || chosen === ''
      ? profileTypes.value
      : [chosen, ...profileTypes.value];
  const names = new Map<string, number>();
  for (const id of ids) names.set(profileTypeName(id), (names.get(profileTypeName(id)) ?? 0) + 1);
  return (
    <label class="type-picker">
      <span class="visually-hidden">Profile type</span>
      <select
        class="select"
        value={chosen}
        title={chosen}
        onChange={(event) => navigate({ profileType: event.currentTarget.value, zoom: '', pivot: '' })}
      >
        {ids.length === 0 && <option value="">no profile types</option>}
        {ids.map((id) => (
          <option key={id} value={id}>
            {names.get(profileTypeName(id)) === 1 ? profileTypeName(id) : `${profileTypeName(id)} (${id})`}
          </option>
        ))}
      </select>
    </label>
  );
}

export interface FilterBarProps {
  service: string;
  filters: LabelFilter[];
  onChange: (filters: LabelFilter[]) => void;
}

/** The label filters as chips, and a form to add one. */
export function FilterBar({ service, filters, onChange }: FilterBarProps) {
  return (
    <div class="filters">
      {filters.map((filter, i) => (
        <span key={filterText(filter)} class="chip">
          <code>{filterText(filter)}</code>
          <button
            type="button"
            class="chip-remove"
            aria-label={`Remove filter ${filterText(filter)}`}
            onClick={() => onChange(filters.filter((_, other) => other !== i))}
          >
            ×
          </button>
        </span>
      ))}
      <Popover button="+ filter" title="Add a label filter" class="filter-form">
        {(close) => (
          <FilterForm
            selector={selectorOf(service, filters)}
            onAdd={(filter) => {
              close();
              onChange([...filters, filter]);
            }}
          />
        )}
      </Popover>
    </div>
  );
}

interface Suggestions {
  options: ComboboxOption[];
  note: string | undefined;
}

const NO_SUGGESTIONS: Suggestions = { options: [], note: undefined };

function FilterForm({ selector, onAdd }: { selector: string; onAdd: (filter: LabelFilter) => void }) {
  const [name, setName] = useState('');
  const [operator, setOperator] = useState<MatchOperator>('=');
  const [value, setValue] = useState('');
  const [names, setNames] = useState(NO_SUGGESTIONS);
  const [values, setValues] = useState(NO_SUGGESTIONS);

  const suggest = async (
    ask: (span: Span, abort: AbortSignal) => Promise<string[]>,
    put: (s: Suggestions) => void,
  ) => {
    put({ options: [], note: 'Loading…' });
    try {
      const found = await ask(outerSpan.peek(), AbortSignal.timeout(10_000));
      put({ options: found.map((text) => ({ value: text, label: text })), note: undefined });
    } catch (error) {
      put({ options: [], note: `No suggestions: ${(error as Error).message}` });
    }
  };
  const onName = (typed: string) => {
    const whole = parseFilter(typed);
    if (whole) onAdd(whole);
    else setName(typed.trim());
  };
  const isReady = name !== '' && value !== '';
  return (
    <form
      class="form"
      onSubmit={(event) => {
        event.preventDefault();
        if (isReady) onAdd({ name, operator, value });
      }}
    >
      <Combobox
        label="Label"
        labelShown
        value={name}
        options={names.options.filter((option) => !option.value.startsWith('__'))}
        note={names.note}
        placeholder='pod, or pod=~"api-.*"'
        free
        autofocus
        onOpen={() => suggest((span, abort) => labelNames(span, selector, abort), setNames)}
        onChange={onName}
      />
      <label>
        <span class="field-label">Condition</span>
        <select
          class="select"
          value={operator}
          onChange={(event) => setOperator(event.currentTarget.value as MatchOperator)}
        >
          {OPERATORS.map(({ operator: sign, words }) => (
            <option key={sign} value={sign}>
              {sign} {words}
            </option>
          ))}
        </select>
      </label>
      <Combobox
        label="Value"
        labelShown
        value={value}
        options={values.options}
        note={values.note}
        free
        onOpen={() =>
          name !== '' && suggest((span, abort) => labelValues(name, span, selector, abort), setValues)
        }
        onChange={setValue}
      />
      <button type="submit" class="button button-primary" disabled={!isReady}>
        Add filter
      </button>
    </form>
  );
}

/** Service, type and filters of the page's main query. */
export function QueryBar() {
  const { service, filters } = view.value;
  return (
    <>
      <ServicePicker
        value={service}
        onChange={(next) => navigate({ service: next, zoom: '', pivot: '', profileType: keepType(next) })}
      />
      <ProfileTypePicker />
      <FilterBar service={service} filters={filters} onChange={(next) => navigate({ filters: next })} />
    </>
  );
}

/** A type that the new service does not have is let go of. */
function keepType(service: string): string {
  const { profileType: chosen } = view.peek();
  const types = services.peek().data?.find(({ name }) => name === service)?.profileTypes;
  return types && !types.includes(chosen) ? '' : chosen;
}
