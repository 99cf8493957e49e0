import { signal } from '@preact/signals';

/** Text of the page's one polite live region. */
export const announcement = signal('');

let timer: ReturnType<typeof setTimeout> | undefined;

/** Says it to screen readers, once things have been still for 150 ms: arrow keys must not queue up speech. */
export function announce(text: string): void {
  clearTimeout(timer);
  timer = setTimeout(() => {
    announcement.value = text;
  }, 150);
}
