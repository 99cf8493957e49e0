import { computed } from '@preact/signals';
import type { FlameLayout } from '../../../core/flamegraph/layout.ts';
import type { TreeSides } from '../../../core/flamegraph/tree-sides.ts';
import type { FlameChartState } from '../canvas/flame-chart.ts';
import { changeIndex, colorNames, makePalette } from '../canvas/palette.ts';
import { view } from '../state/navigation.ts';
import { isDark } from '../state/preferences.ts';
import { flameLayout, matched, selectedRow, shaped, sideFactors, zoomRow } from '../state/profile-model.ts';
import { isSteered, shownPart } from '../state/steering.ts';

export const palette = computed(() => makePalette(isDark()));
const colourMode = computed(() => view.value.colour);
const flipped = computed(() => view.value.flipped);

/** Colours of a tree: by name, or by change for a diff. */
export function paintOf(sides: TreeSides, layout: FlameLayout) {
  const { right } = sides;
  if (!right) {
    const colors = colorNames(sides.tree, colourMode.value);
    return { layout, palette: palette.value, colors, colorsBy: 'name' as const };
  }
  const change = changesOf(sides);
  return {
    layout,
    palette: palette.value,
    colors: Uint8Array.from(change, changeIndex),
    colorsBy: 'row' as const,
    // Colour is never the only sign.
    glyph: (row: number) => (change[row] > 0.01 ? '▲ ' : change[row] < -0.01 ? '▼ ' : ''),
    hatched: (row: number) => Math.abs(change[row]) === 1,
  };
}

/** Per row: (B − A) ÷ (A + B) in comparable units: −1 is gone, 0 the same, 1 new. */
export function changesOf({ tree, right }: TreeSides): Float64Array {
  const { left: a, right: b } = sideFactors.value;
  return tree.total.map((value, row) => {
    const before = value * a;
    const after = right!.total[row] * b;
    return before + after > 0 ? (after - before) / (before + after) : 0;
  });
}

const mainPaint = computed(() =>
  shaped.value && flameLayout.value ? paintOf(shaped.value, flameLayout.value) : undefined,
);

/** Everything that the main flame graph paints from. */
export const mainChart = computed<FlameChartState | undefined>(() => {
  if (!mainPaint.value || !shaped.value) return undefined;
  const row = Math.min(selectedRow.value, shaped.value.tree.nameOf.length - 1);
  return {
    ...mainPaint.value,
    matched: matched.value,
    zoomRow: Math.max(0, zoomRow.value),
    part: shownPart.value,
    isSteered: isSteered.value,
    selectedRow: row === 0 ? -1 : row,
    markedName: row > 0 && !matched.value ? shaped.value.tree.nameOf[row] : -1,
    flipped: flipped.value,
    hideRoot: false,
  };
});
