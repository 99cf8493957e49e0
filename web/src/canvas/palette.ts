import { type CallTree, FrameKind } from '../../../core/flamegraph/call-tree.ts';
import { packageOf } from '../state/frame-name.ts';
import { nameHash } from '../state/path-hash.ts';
import type { ColourMode } from '../state/view-state.ts';
import { toHex, toRgb } from './oklch.ts';

/** Fills by colour index, and the text colours that are readable on them. */
export interface Palette {
  fills: string[];
  text: string;
  /** The same frames when a search leaves them out, or when they lie outside the zoom. */
  dimFills: string[];
  dimText: string;
  /** Frames that a search found. */
  match: string;
  matchText: string;
  /** Blocks of frames that are too narrow to show. */
  run: string;
  background: string;
  outline: string;
}

// Colour indices: fixed kinds, then package hues in a few shades, then the steps of a diff.
const UNKNOWN = 0;
const KERNEL = 1;
const RUNTIME = 2;
const JIT = 3;
const NATIVE = 4;
const INTERPRETED = 5;
const MARKER = 6;
const FIRST_HUE = 7;
/** Package hues keep away from the magenta of a match (328°) and the red of an error (25°); greens look alike, so few. */
const HUES = [70, 88, 106, 128, 152, 172, 190, 207, 224, 243, 262, 282];
/** Lightness and chroma, relative to the theme's: same hue, another function or package. */
const SHADES: [number, number][] = [
  [0, 0.08],
  [0.03, 0.05],
  [-0.035, 0.06],
  [0.015, 0.095],
];
const FIRST_CHANGE = FIRST_HUE + HUES.length * SHADES.length;
/** Steps of change to each side of "unchanged". */
export const CHANGE_STEPS = 8;

/** Hue and chroma of the fixed kinds, by colour index. */
const KIND_COLORS: [number, number][] = [
  [260, 0.012],
  [52, 0.12],
  [300, 0.1],
  [150, 0.1],
  [235, 0.09],
  [95, 0.11],
  [260, 0.0],
];

export function makePalette(dark: boolean): Palette {
  const lightness = dark ? 0.68 : 0.82;
  const colors = [...KIND_COLORS.map(([hue, chroma]) => ({ lightness, chroma, hue }))];
  for (const hue of HUES) {
    for (const [lighter, chroma] of SHADES) colors.push({ lightness: lightness + lighter, chroma, hue });
  }
  for (let step = -CHANGE_STEPS; step <= CHANGE_STEPS; step++) colors.push(changeColor(step, lightness));
  const dimLightness = dark ? 0.34 : 0.925;
  return {
    fills: colors.map((color) => toHex(toRgb(color))),
    dimFills: colors.map(({ chroma, hue }) =>
      toHex(toRgb({ lightness: dimLightness, chroma: chroma * 0.22, hue })),
    ),
    text: '#101216',
    dimText: dark ? '#c9ced8' : '#565d6b',
    match: '#ee00ee',
    matchText: '#101216',
    run: dark ? '#4a505c' : '#c3c8d1',
    background: dark ? '#14171c' : '#ffffff',
    outline: dark ? '#ffffff' : '#101216',
  };
}

/** Blue for less, grey for the same, red for more: told apart by all common kinds of colour vision. */
function changeColor(step: number, lightness: number) {
  const strength = Math.abs(step) / CHANGE_STEPS;
  return {
    lightness: lightness + 0.04 * (1 - strength),
    chroma: step === 0 ? 0 : 0.035 + 0.115 * strength,
    hue: step < 0 ? 250 : 27,
  };
}

/** Colour index per name. Equal packages get equal hues in every tree and on every visit. */
export function colorNames(tree: CallTree, mode: ColourMode): Uint8Array {
  const colors = new Uint8Array(tree.names.length);
  for (let name = 0; name < colors.length; name++) {
    const module = tree.modules[tree.moduleOf[name]];
    colors[name] = colorOf(tree.names[name], tree.kinds[name] as FrameKind, module, mode);
  }
  colors[0] = UNKNOWN;
  return colors;
}

function colorOf(name: string, kind: FrameKind, module: string, mode: ColourMode): number {
  if (kind === FrameKind.marker) return MARKER;
  if (kind === FrameKind.kernel) return KERNEL;
  if (kind === FrameKind.runtime) return RUNTIME;
  if (mode === 'kind') return kindColor(kind);
  const group = mode === 'module' ? module : packageOf(name, module);
  if (group === '') return kindColor(kind === FrameKind.native ? FrameKind.unknown : kind);
  return hueIndex(group, name);
}

function kindColor(kind: FrameKind): number {
  if (kind === FrameKind.jit) return JIT;
  if (kind === FrameKind.native) return NATIVE;
  return kind === FrameKind.interpreted ? INTERPRETED : UNKNOWN;
}

function hueIndex(group: string, name: string): number {
  const ofGroup = scramble(nameHash(group));
  const hue = ofGroup % HUES.length;
  // Functions of a package alternate between two shades; which two, the package decides.
  const shade = (Math.floor(ofGroup / HUES.length) + (scramble(nameHash(name)) & 1)) % SHADES.length;
  return FIRST_HUE + hue * SHADES.length + shade;
}

function scramble(hash: number): number {
  const mixed = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** Colour index of a change; `change` in −1 (gone) … 0 (same) … 1 (new). */
export function changeIndex(change: number): number {
  const step =
    Math.abs(change) < 0.01 ? 0 : Math.sign(change) * Math.ceil(Math.min(1, Math.abs(change)) * CHANGE_STEPS);
  return FIRST_CHANGE + CHANGE_STEPS + step;
}

/** What the legend shows: fixed kinds by name. */
export const KIND_LEGEND: readonly { label: string; index: number }[] = [
  { label: 'kernel', index: KERNEL },
  { label: 'runtime', index: RUNTIME },
  { label: 'JIT', index: JIT },
  { label: 'native', index: NATIVE },
  { label: 'interpreted', index: INTERPRETED },
  { label: 'unknown', index: UNKNOWN },
];
