import { signal } from '@preact/signals';
import { type ViewState, viewFromUrl, viewToUrl } from './view-state.ts';

// The URL is the store. A change that a person would want to take back is pushed, so that Back is undo; what they are
// still typing or dragging replaces the entry it began with.

export const view = signal<ViewState>(viewFromUrl(location.pathname, location.search));

/** Address of the page's folder: the API is relative to it, whatever prefix the page lives under. */
export const baseUrl = new URL('./', location.href);

/** A change of these gives another graph, or another place in it: a part of the old one means nothing there. */
const ENDS_PART: readonly (keyof ViewState)[] = [
  ...(['page', 'profileType', 'service', 'filters'] as const),
  ...(['zoom', 'steps', 'order', 'normalise'] as const),
];

export function navigate(change: Partial<ViewState>, how: 'push' | 'replace' = 'push'): void {
  const endsPart = ENDS_PART.some((key) => key in change);
  const next = { ...view.peek(), ...(endsPart && { part: undefined }), ...change };
  const url = new URL(viewToUrl(next), baseUrl);
  if (url.href === location.href) return;
  if (how === 'push') history.pushState(null, '', url);
  else history.replaceState(null, '', url);
  view.value = next;
}

/** Replaces the address and shows its view. */
export function showUrl(url: URL): void {
  history.replaceState(null, '', url);
  readView();
}

function readView(): void {
  view.value = viewFromUrl(location.pathname, location.search);
}

addEventListener('popstate', readView);

export function linkTo(change: Partial<ViewState>): string {
  return viewToUrl({ ...view.value, ...change });
}
