import { FrameKind } from '../../../core/flamegraph/call-tree.ts';
import type { TreeSides } from '../../../core/flamegraph/tree-sides.ts';
import { formatChange, formatCores, formatShare, formatValue, signed } from './format.ts';

/** What values of a tree are measured against. */
export interface FrameContext {
  sides: TreeSides;
  /** Row that is 100 % of the view. */
  zoomRow: number;
  /** Totals of all that was asked for, before transforms. */
  whole: { left: number; right: number };
  isCpu: boolean;
  /** Time with data, in ms: value ÷ it is a number of cores. */
  coveredMs: number;
  /** The same for the earlier side of a diff. */
  earlierCoveredMs: number;
}

export interface Fact {
  label: string;
  value: string;
  detail?: string;
}

export function frameName(sides: TreeSides, row: number): string {
  return sides.tree.names[sides.tree.nameOf[row]] || '(anonymous)';
}

export function frameModule({ tree }: TreeSides, row: number): string {
  return tree.modules[tree.moduleOf[tree.nameOf[row]]];
}

const KIND_WORDS: Record<number, string> = {
  [FrameKind.native]: 'native',
  [FrameKind.kernel]: 'kernel',
  [FrameKind.jit]: 'JIT',
  [FrameKind.interpreted]: 'interpreted',
  [FrameKind.runtime]: 'runtime',
  [FrameKind.marker]: 'marker',
};

export function frameKind({ tree }: TreeSides, row: number): string {
  return KIND_WORDS[tree.kinds[tree.nameOf[row]]] ?? '';
}

/** Self and total in value, shares of view and of all, and cores; both sides and the change for a diff. */
export function frameFacts(context: FrameContext, row: number): Fact[] {
  return context.sides.right ? diffFacts(context, row) : plainFacts(context, row);
}

function plainFacts({ sides, zoomRow, whole, isCpu, coveredMs }: FrameContext, row: number): Fact[] {
  const { tree } = sides;
  const value = (amount: number) => formatValue(amount * tree.scale, tree.unit);
  const line = (label: string, amount: number): Fact => {
    const ofAll = formatShare(amount, whole.left);
    // What lies above the zoomed frame is no part of the view.
    const ofView =
      zoomRow > 0 && row >= zoomRow ? `${formatShare(amount, tree.total[zoomRow])} of view, ` : '';
    return { label, value: value(amount), detail: `${ofView}${ofAll} of all` };
  };
  const facts = [line('Total', tree.total[row]), line('Self', tree.self[row])];
  if (isCpu) facts.push({ label: 'Cores', value: formatCores(tree.total[row] * tree.scale, coveredMs) });
  return facts;
}

function diffFacts({ sides, whole, isCpu, coveredMs, earlierCoveredMs }: FrameContext, row: number): Fact[] {
  const { tree } = sides;
  const right = sides.right!;
  const value = (amount: number) => formatValue(amount * tree.scale, tree.unit);
  const side = (label: string, total: number, all: number, covered: number): Fact => {
    const cores = isCpu ? `, ${formatCores(total * tree.scale, covered)}` : '';
    return { label, value: value(total), detail: `${formatShare(total, all)}${cores}` };
  };
  const change = (label: string, a: number, b: number): Fact => ({
    label,
    value: signed(b - a, value),
    detail: `${formatChange(share(a, whole.left), share(b, whole.right))} of share`,
  });
  return [
    side('A total', tree.total[row], whole.left, earlierCoveredMs),
    side('B total', right.total[row], whole.right, coveredMs),
    change('Total change', tree.total[row], right.total[row]),
    change('Self change', tree.self[row], right.self[row]),
  ];
}

function share(part: number, whole: number): number {
  return whole > 0 ? part / whole : 0;
}

/** One sentence, as the status line and the screen reader give it. */
export function frameSentence(context: FrameContext, row: number): string {
  const facts = frameFacts(context, row)
    .map(({ label, value, detail }) => `${label.toLowerCase()} ${value}${detail ? ` (${detail})` : ''}`)
    .join(', ');
  return `${frameName(context.sides, row)} — ${facts}, level ${context.sides.tree.level[row]}`;
}
