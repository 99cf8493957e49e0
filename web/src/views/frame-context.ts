import { computed } from '@preact/signals';
import type { TreeSides } from '../../../core/flamegraph/tree-sides.ts';
import type { FrameContext } from '../state/frame-facts.ts';
import { baselineCoveredMs, coveredMs, isCpu, shaped, zoomRow } from '../state/profile-model.ts';

/** What the values of the tree on screen are measured against. */
export const frameContext = computed<FrameContext | undefined>(() => {
  const current = shaped.value;
  return current && contextOf(current, Math.max(0, zoomRow.value));
});

/** The same for a tree that was made from it, such as half a sandwich. */
export function contextOf(sides: TreeSides, zoom: number): FrameContext {
  const { whole } = shaped.value!;
  return {
    sides,
    zoomRow: zoom,
    whole,
    isCpu: isCpu.value,
    coveredMs: coveredMs.value,
    earlierCoveredMs: baselineCoveredMs.value,
  };
}
