import type { CallTree } from '../../core/flamegraph/call-tree.ts';
import { topTable } from '../../core/flamegraph/top-table.ts';
import { percent, quantity } from '../quantity.ts';
import { textTable } from '../text-table.ts';

/** One function with what it used itself and what passed through it, in the tree's unit. */
export interface TopRow {
  readonly name: string;
  readonly module: string;
  readonly self: number;
  readonly total: number;
}

export type TopOrder = 'self' | 'total';

/** The `limit` heaviest functions by `order`; of equals the one first by name. */
export function topRows(tree: CallTree, order: TopOrder, limit: number): TopRow[] {
  const { self, total } = topTable(tree);
  const names = Array.from({ length: tree.names.length - 1 }, (_, i) => i + 1);
  const weight = order === 'self' ? self : total;
  names.sort((a, b) => weight[b]! - weight[a]! || (tree.names[a]! < tree.names[b]! ? -1 : 1));
  return names.slice(0, limit).map((name) => ({
    name: tree.names[name]!,
    module: tree.modules[tree.moduleOf[name]!]!,
    self: self[name]! * tree.scale,
    total: total[name]! * tree.scale,
  }));
}

export function topText(tree: CallTree, rows: readonly TopRow[], width: number): string {
  const whole = tree.total[0]! * tree.scale;
  const columns = [
    { title: 'self', align: 'right' },
    { title: '', align: 'right' },
    { title: 'total', align: 'right' },
    { title: '', align: 'right' },
    { title: 'function' },
  ] as const;
  const cells = rows.map(({ name, module, self, total }) => [
    quantity(self, tree.unit),
    percent(self, whole),
    quantity(total, tree.unit),
    percent(total, whole),
    module === '' ? name : `${name} (${module})`,
  ]);
  return textTable(columns, cells, width);
}
