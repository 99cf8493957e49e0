import { effect, signal } from '@preact/signals';
import type { Transform } from '../../../core/flamegraph/transforms.ts';
import { announce } from '../state/announcer.ts';
import { formatShare } from '../state/format.ts';
import { frameModule, frameName, frameSentence } from '../state/frame-facts.ts';
import { navigate, view } from '../state/navigation.ts';
import { isSamePart, movedPart, partOfRow, scaledPart } from '../state/part.ts';
import { pathHash } from '../state/path-hash.ts';
import { nextTheme, theme } from '../state/preferences.ts';
import {
  clock,
  flameLayout,
  matched,
  searchAnswer,
  selectedRow,
  shaped,
  shownSpan,
  siblingOrder,
  zoomRow,
} from '../state/profile-model.ts';
import type { ActionId } from '../state/shortcuts.ts';
import { letGo, shownPart, showPart } from '../state/steering.ts';
import { shiftRange } from '../state/time-range.ts';
import { nextSibling, nextWanted, previousSibling, widerAncestor, widestChild } from '../state/tree-walk.ts';
import type { Arrangement, ColourMode } from '../state/view-state.ts';
import { frameContext } from './frame-context.ts';

export const helpOpen = signal(false);
export const frameMenuAt = signal<{ x: number; y: number } | undefined>(undefined);
/** A short notice at the bottom, for things that have no other sign of success. */
export const notice = signal('');

let noticeTimer: ReturnType<typeof setTimeout> | undefined;

export function notify(text: string): void {
  notice.value = text;
  announce(text);
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => {
    notice.value = '';
  }, 2500);
}

/** Moves the selection and says where it is. */
export function select(row: number): void {
  const current = shaped.peek();
  if (!current || row < 0) return;
  selectedRow.value = row;
  announce(frameSentence(frameContext.peek()!, row));
}

export function zoomTo(row: number): void {
  const current = shaped.peek();
  if (!current || row < 0) return;
  const zoom = row === 0 ? '' : pathHash(current.tree, row);
  selectedRow.value = row;
  letGo();
  if (zoom === view.peek().zoom && view.peek().part === undefined) return;
  navigate({ zoom });
  announce(row === 0 ? 'Whole graph' : `Zoomed to ${frameSentence(frameContext.peek()!, row)}`);
}

export function addStep(step: Transform): void {
  const { steps } = view.peek();
  navigate({ steps: [...steps, step] });
}

export function toggleStep(kind: 'invert' | 'collapse-recursion'): void {
  const { steps } = view.peek();
  const without = steps.filter((step) => step.kind !== kind);
  navigate({ steps: without.length === steps.length ? [...steps, { kind }] : without });
}

export function openSandwich(name: string): void {
  navigate({ arrangement: 'sandwich', pivot: name });
}

export function arrange(arrangement: Arrangement): void {
  const change =
    arrangement === 'sandwich' && selectedRow.peek() > 0 ? { pivot: selectedFunction() ?? '' } : {};
  navigate({ arrangement, ...change });
}

export function selectedFunction(): string | undefined {
  const current = shaped.peek();
  const row = selectedRow.peek();
  return current && row > 0 ? frameName(current, row) : undefined;
}

export async function copyText(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    notify(`${what} copied`);
  } catch {
    notify(`The browser did not allow copying. ${what}: ${text}`);
  }
}

const COLOUR_MODES: ColourMode[] = ['package', 'module', 'kind'];

/** Runs an action; returns false where it does not apply, so that the key keeps its usual meaning. */
export function runAction(id: ActionId): boolean {
  const action = ACTIONS[id];
  return action() !== false;
}

function move(to: (row: number) => number): void {
  select(to(selectedRow.peek()));
}

function jump(step: 1 | -1): void {
  const current = shaped.peek();
  if (!current) return;
  const hits = matched.peek();
  const name = current.tree.nameOf[selectedRow.peek()];
  const wanted = hits ? (id: number) => hits[id] === 1 : (id: number) => id === name;
  select(nextWanted(current.tree, selectedRow.peek(), wanted, step));
}

/** Jumps once the answer to what is being searched is there. */
export function jumpWhenSearched(step: 1 | -1): void {
  let done = false;
  const stop = effect(() => {
    const answer = searchAnswer.value;
    if (done || answer?.text !== view.peek().search || answer.generation !== shaped.value?.generation) return;
    done = true;
    queueMicrotask(() => {
      stop();
      jump(step);
    });
  });
}

function backOut(): void {
  const current = shaped.peek();
  const layout = flameLayout.peek();
  const row = zoomRow.peek();
  if (view.peek().part) navigate({ part: undefined });
  else if (current && layout && row !== 0)
    zoomTo(row < 0 ? 0 : widerAncestor(current.tree, row, layout.width));
  else if (view.peek().search !== '') navigate({ search: '' }, 'replace');
  else if (view.peek().selection) navigate({ selection: undefined });
}

const MAGNIFY = 0.5;
const PAN_SHARE = 0.25;

/** Around the selected frame if it is on screen, else around the middle. */
function magnify(scale: number): void {
  const layout = flameLayout.peek();
  if (!layout) return;
  const part = shownPart.peek();
  const row = selectedRow.peek();
  const own = partOfRow(layout, row);
  const middle = (Math.max(part.x0, own.x0) + Math.min(part.x1, own.x1)) / 2;
  const isOnScreen = row > 0 && own.x1 > part.x0 && own.x0 < part.x1;
  showPart(scaledPart(part, isOnScreen ? middle : (part.x0 + part.x1) / 2, scale));
  announcePart();
}

function pan(share: number): boolean {
  const before = shownPart.peek();
  const after = movedPart(before, share);
  if (isSamePart(before, after)) return false;
  showPart(after);
  announcePart();
  return true;
}

function announcePart(): void {
  const { x0, x1 } = shownPart.peek();
  announce(`Showing ${formatShare(x1 - x0, 1)} of the width, from ${formatShare(x0, 1)}`);
}

/** Adds a step about the selected function; there is nothing to do on the root. */
function stepOnFunction(kind: 'focus' | 'hide' | 'drop'): boolean {
  const name = selectedFunction();
  if (name === undefined) return false;
  addStep({ kind, name });
  return true;
}

function tree() {
  return shaped.peek()!.tree;
}

const ACTIONS: Record<ActionId, () => boolean | void | Promise<void>> = {
  parent: () => move((row) => tree().parent[row]),
  child: () => move((row) => widestChild(tree(), row, flameLayout.peek()!.width)),
  previous: () => move((row) => previousSibling(tree(), row)),
  next: () => move((row) => nextSibling(tree(), row)),
  zoom: () => zoomTo(selectedRow.peek()),
  'back-out': backOut,
  whole: () => zoomTo(0),
  magnify: () => magnify(MAGNIFY),
  reduce: () => magnify(1 / MAGNIFY),
  'pan-left': () => pan(-PAN_SHARE),
  'pan-right': () => pan(PAN_SHARE),
  search: () => focusElement('search'),
  'next-match': () => jump(1),
  'previous-match': () => jump(-1),
  sandwich: () => {
    const name = selectedFunction();
    if (name !== undefined) openSandwich(name);
  },
  focus: () => stepOnFunction('focus'),
  hide: () => stepOnFunction('hide'),
  drop: () => stepOnFunction('drop'),
  'collapse-module': () => {
    const current = shaped.peek();
    const module = current && selectedRow.peek() > 0 ? frameModule(current, selectedRow.peek()) : '';
    if (module !== '') addStep({ kind: 'collapse-module', module });
  },
  'collapse-recursion': () => toggleStep('collapse-recursion'),
  invert: () => toggleStep('invert'),
  order: () => navigate({ order: siblingOrder.peek() === 'heavy' ? 'name' : 'heavy' }),
  flip: () => navigate({ flipped: !view.peek().flipped }),
  colour: () => {
    const at = COLOUR_MODES.indexOf(view.peek().colour);
    navigate({ colour: COLOUR_MODES[(at + 1) % COLOUR_MODES.length] }, 'replace');
  },
  flame: () => arrange('flame'),
  table: () => arrange('table'),
  both: () => arrange('both'),
  'sandwich-view': () => arrange('sandwich'),
  tree: () => arrange('tree'),
  earlier: () => shiftWindow(-1),
  later: () => shiftWindow(1),
  swap: swapSides,
  'copy-name': () => {
    const name = selectedFunction();
    if (name !== undefined) void copyText(name, 'Name');
  },
  'copy-link': () => copyText(location.href, 'Link'),
  export: () => document.getElementById('export-menu')?.click(),
  menu: () => false,
  theme: () => {
    nextTheme();
    notify(`Theme: ${theme.peek()}`);
  },
  help: () => {
    helpOpen.value = true;
  },
};

export function shiftWindow(windows: number): void {
  navigate({ range: shiftRange(view.peek().range, windows, clock.peek()), selection: undefined });
}

/** A becomes what B was; both become fixed ranges, for "earlier than B" has no mirror. */
export function swapSides(): boolean {
  const { page, baseline, service, filters } = view.peek();
  if (page !== 'diff') return false;
  const earlier = baselineSpanNow();
  navigate({
    range: { kind: 'between', ...earlier },
    selection: undefined,
    service: baseline.service ?? service,
    filters: baseline.filters ?? filters,
    baseline: { service, filters, range: { kind: 'between', ...shownSpan.peek() } },
  });
  return true;
}

function baselineSpanNow() {
  const { range } = view.peek().baseline;
  const { start, end } = shownSpan.peek();
  if (range.kind === 'between') return { start: range.start, end: range.end };
  const by = range.kind === 'period' ? end - start : range.seconds * 1000;
  return { start: start - by, end: end - by };
}

export function focusElement(id: string): void {
  document.getElementById(id)?.focus();
}

/** Makes the brushed part the whole range. */
export function zoomTime(): void {
  const { selection } = view.peek();
  if (selection) navigate({ range: { kind: 'between', ...selection }, selection: undefined });
}
