import { computed, signal } from '@preact/signals';
import { navigate, view } from './navigation.ts';
import { isSamePart, type Part, partOfRow, WHOLE } from './part.ts';
import { flameLayout, zoomRow } from './profile-model.ts';

// Zooming and moving freely, as opposed to zooming to a frame. While a wheel turns or a pointer drags, the part is a
// draft; it becomes the view once things rest, so that one gesture is one step back.

const REST_MS = 200;

const draft = signal<Part | undefined>(undefined);
let timer: ReturnType<typeof setTimeout> | undefined;

/** Whether the part follows a hand, and is to be drawn without delay. */
export const isSteered = computed(() => draft.value !== undefined);

const partOfZoom = computed(() =>
  flameLayout.value ? partOfRow(flameLayout.value, Math.max(0, zoomRow.value)) : WHOLE,
);

/** What of the graph's width is on screen. */
export const shownPart = computed<Part>(() => draft.value ?? view.value.part ?? partOfZoom.value);

export function steer(part: Part): void {
  draft.value = part;
  clearTimeout(timer);
  timer = setTimeout(() => {
    showPart(part);
    letGo();
  }, REST_MS);
}

/** Ends a gesture whose result is no longer wanted. */
export function letGo(): void {
  clearTimeout(timer);
  draft.value = undefined;
}

/** Makes a part the view: a step of its own when it leaves a frame's zoom, else one with the steps before it. */
export function showPart(part: Part): void {
  const before = view.peek();
  const how = before.part ? 'replace' : 'push';
  if (isSamePart(part, WHOLE)) navigate({ zoom: '', part: undefined }, how);
  else if (isSamePart(part, partOfZoom.peek())) navigate({ part: undefined }, how);
  else navigate({ part }, how);
}
