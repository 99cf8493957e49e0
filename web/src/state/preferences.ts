import { effect, signal } from '@preact/signals';

/** What a person keeps from visit to visit; never part of a shared link. */
export type Theme = 'auto' | 'light' | 'dark';

export const theme = signal<Theme>(stored('theme', ['auto', 'light', 'dark']));
export const utc = signal(stored('zone', ['local', 'utc']) === 'utc');

const systemDark = matchMedia('(prefers-color-scheme: dark)');
const systemIsDark = signal(systemDark.matches);
systemDark.addEventListener('change', (event) => {
  systemIsDark.value = event.matches;
});

export function isDark(): boolean {
  return theme.value === 'auto' ? systemIsDark.value : theme.value === 'dark';
}

export function nextTheme(): void {
  const order: Theme[] = ['auto', 'light', 'dark'];
  theme.value = order[(order.indexOf(theme.value) + 1) % order.length];
}

/** Keeps the document and the browser's storage in step with the signals. */
export function followPreferences(): void {
  effect(() => {
    document.documentElement.dataset.theme = isDark() ? 'dark' : 'light';
    store('theme', theme.value);
  });
  effect(() => store('zone', utc.value ? 'utc' : 'local'));
}

function stored<T extends string>(key: string, values: readonly T[]): T {
  try {
    const value = localStorage.getItem(`cinderblock.${key}`);
    return values.find((known) => known === value) ?? values[0];
  } catch {
    return values[0];
  }
}

function store(key: string, value: string): void {
  try {
    localStorage.setItem(`cinderblock.${key}`, value);
  } catch {
    // Storage may be switched off; then the choice lasts as long as the page.
  }
}
