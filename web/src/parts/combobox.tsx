import { useId, useMemo, useRef, useState } from 'preact/hooks';
import { type ComboboxOption, filterOptions } from './filter-options.ts';

export interface ComboboxProps {
  label: string;
  /** Shows the label above the field; else it is for screen readers only. */
  labelShown?: boolean;
  value: string;
  options: readonly ComboboxOption[];
  placeholder?: string;
  /** Takes text that is no option. */
  free?: boolean;
  /** Shown under the options, for instance while they load. */
  note?: string;
  autofocus?: boolean;
  onChange: (value: string) => void;
  onOpen?: () => void;
}

/**
 * Editable combobox with a list (ARIA practices guide): typing filters, arrows move, Enter takes, Esc closes and then
 * restores. Focus stays in the field; the active option is told through aria-activedescendant.
 */
export function Combobox(props: ComboboxProps) {
  const { label, labelShown, value, options, placeholder, free, note, autofocus, onChange, onOpen } = props;
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const [open, setOpen] = useState(false);
  const [typed, setTyped] = useState<string | undefined>(undefined);
  const [active, setActive] = useState(-1);
  // A closed list keeps nothing in the page.
  const shown = useMemo(() => (open ? filterOptions(options, typed ?? '') : []), [open, options, typed]);
  const current = options.find((option) => option.value === value)?.label ?? value;

  const show = () => {
    if (open) return;
    setOpen(true);
    setActive(-1);
    onOpen?.();
  };
  const close = () => {
    setOpen(false);
    setTyped(undefined);
    setActive(-1);
  };
  const take = (chosen: string) => {
    close();
    if (chosen !== value) onChange(chosen);
  };
  const move = (to: number) => {
    show();
    const next = Math.max(0, Math.min(shown.length - 1, to));
    setActive(next);
    list.current?.children[next]?.scrollIntoView({ block: 'nearest' });
  };
  const enter = () => {
    if (open && active >= 0 && shown[active]) take(shown[active].value);
    else if (free && typed !== undefined) take(typed);
    else if (open && typed !== undefined && shown.length > 0) take(shown[0].value);
    else show();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'ArrowDown') move(active + 1);
    else if (event.key === 'ArrowUp') move(active - 1);
    else if (event.key === 'PageDown' && open) move(active + 10);
    else if (event.key === 'PageUp' && open) move(active - 10);
    else if (event.key === 'Enter') enter();
    else if (event.key === 'Escape' && open) close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="combobox">
      <label for={id} class={labelShown ? 'field-label' : 'visually-hidden'}>
        {label}
      </label>
      <input
        ref={input}
        id={id}
        class="input"
        role="combobox"
        aria-expanded={open}
        aria-controls={`${id}-list`}
        aria-autocomplete="list"
        aria-activedescendant={active >= 0 ? `${id}-${active}` : undefined}
        autocomplete="off"
        spellcheck={false}
        data-autofocus={autofocus ? '' : undefined}
        placeholder={placeholder}
        value={typed ?? current}
        title={current}
        onFocus={(event) => event.currentTarget.select()}
        onClick={show}
        onInput={(event) => {
          setTyped(event.currentTarget.value);
          setOpen(true);
          setActive(-1);
        }}
        onKeyDown={onKeyDown}
        onBlur={() => {
          if (free && typed !== undefined && typed !== value) take(typed);
          else close();
        }}
      />
      <div
        ref={list}
        id={`${id}-list`}
        role="listbox"
        aria-label={label}
        class="listbox"
        hidden={!open || (shown.length === 0 && !note && typed === undefined)}
        onMouseDown={(event) => event.preventDefault()}
      >
        {shown.map((option, i) => (
          <div
            key={option.value}
            id={`${id}-${i}`}
            role="option"
            aria-selected={option.value === value}
            class={i === active ? 'option option-active' : 'option'}
            onClick={() => take(option.value)}
          >
            <span class="option-label">{option.label}</span>
            {option.detail && <span class="option-detail">{option.detail}</span>}
          </div>
        ))}
        {note !== undefined && (
          <div class="option-note" role="presentation">
            {note}
          </div>
        )}
        {shown.length === 0 && note === undefined && (
          <div class="option-note" role="presentation">
            {free ? 'No known value; Enter takes the text' : 'Nothing of that name'}
          </div>
        )}
      </div>
    </div>
  );
}
