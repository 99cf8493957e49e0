export interface ComboboxOption {
  value: string;
  label: string;
  /** Small text on the right. */
  detail?: string;
}

const MAX_SHOWN = 200;

/** Options that hold every typed word, those that start with it first. */
export function filterOptions(options: readonly ComboboxOption[], typed: string): ComboboxOption[] {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return options.slice(0, MAX_SHOWN);
  const hits = options.filter(({ label }) => words.every((word) => label.toLowerCase().includes(word)));
  const starts = (option: ComboboxOption) => (option.label.toLowerCase().startsWith(words[0]) ? 0 : 1);
  return hits.sort((a, b) => starts(a) - starts(b)).slice(0, MAX_SHOWN);
}
