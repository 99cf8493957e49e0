import type { CallTree } from '../../core/flamegraph/call-tree.ts';
import { percent, quantity } from '../quantity.ts';
import { cutText } from '../text-table.ts';

export interface TreeTextOptions {
  /** Columns to cut lines at. */
  readonly width: number;
  /** Subtrees with less than this share of the whole, in percent, are left out and counted. */
  readonly minPercent: number;
  /** Deepest level shown; the root is 0. */
  readonly depth: number;
}

/**
 * The tree, one line per node, indented by level: its share of the whole, what it used itself, its value, its name. What
 * is left out under a node shows as one line with the sum of it.
 */
export function* treeText(tree: CallTree, options: TreeTextOptions): Generator<string> {
  const whole = tree.total[0]!;
  const least = Math.max((whole * options.minPercent) / 100, Number.MIN_VALUE);
  yield line('total', 'self', 'value', 'name', options.width);
  for (let row = 0; row < tree.nameOf.length; ) {
    yield nodeLine(tree, row, whole, options.width);
    const [hidden, value] = hiddenChildren(tree, row, least, options.depth);
    if (hidden > 0) {
      const indent = '  '.repeat(tree.level[row]! + 1);
      yield line(
        percent(value, whole),
        '',
        valueText(tree, value),
        `${indent}… ${hidden} more`,
        options.width,
      );
    }
    row = nextShown(tree, row + 1, least, options.depth);
  }
}

/** Heaviest children come first, but markers last: each is judged on its own. */
function hiddenChildren(
  tree: CallTree,
  row: number,
  least: number,
  depth: number,
): [count: number, value: number] {
  let hidden = 0;
  let value = 0;
  for (let child = row + 1; child < tree.end[row]!; child = tree.end[child]!) {
    if (tree.level[child]! <= depth && tree.total[child]! >= least) continue;
    hidden++;
    value += tree.total[child]!;
  }
  return [hidden, value];
}

function nextShown(tree: CallTree, from: number, least: number, depth: number): number {
  let row = from;
  while (row < tree.nameOf.length && (tree.level[row]! > depth || tree.total[row]! < least))
    row = tree.end[row]!;
  return row;
}

function nodeLine(tree: CallTree, row: number, whole: number, width: number): string {
  const name = tree.names[tree.nameOf[row]!]!;
  const module = tree.modules[tree.moduleOf[tree.nameOf[row]!]!]!;
  const indented = `${'  '.repeat(tree.level[row]!)}${name}${module === '' ? '' : ` (${module})`}`;
  const total = tree.total[row]!;
  return line(
    percent(total, whole),
    percent(tree.self[row]!, whole),
    valueText(tree, total),
    indented,
    width,
  );
}

function valueText(tree: CallTree, value: number): string {
  return quantity(value * tree.scale, tree.unit);
}

function line(total: string, self: string, value: string, name: string, width: number): string {
  return `${cutText(`${total.padStart(6)}  ${self.padStart(6)}  ${value.padStart(10)}  ${name}`.trimEnd(), width)}\n`;
}
