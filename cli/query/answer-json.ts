import type { CallTree } from '../../core/flamegraph/call-tree.ts';
import type { Completeness } from '../../core/query/completeness.ts';
import type { Selection } from './query-source.ts';

/** Nodes written at a time. */
const NODES_PER_PIECE = 1000;

/** One JSON object on its own lines; bigints, which JSON has not, as texts of digits. */
export function jsonText(value: object): string {
  return `${JSON.stringify(value, (_key, field) => (typeof field === 'bigint' ? String(field) : field), 2)}\n`;
}

/**
 * A call tree as JSON: what was asked, the exact total as digits, and the nodes in preorder with their level, so that
 * a deep tree nests nothing. `self` and `total` are in `unit`, exact up to 2^53.
 */
export function* treeJson(
  selection: Selection,
  { tree, total, completeness }: { tree: CallTree; total: bigint; completeness: Completeness },
): Generator<string> {
  const head = { ...selection, unit: tree.unit, total: String(total), completeness };
  yield `${JSON.stringify(head).slice(0, -1)},"nodes":[\n`;
  for (let from = 0; from < tree.nameOf.length; from += NODES_PER_PIECE) {
    let piece = '';
    for (let row = from; row < Math.min(from + NODES_PER_PIECE, tree.nameOf.length); row++) {
      piece += `${row === 0 ? '' : ',\n'}${nodeJson(tree, row)}`;
    }
    yield piece;
  }
  yield '\n]}\n';
}

function nodeJson(tree: CallTree, row: number): string {
  const name = tree.nameOf[row]!;
  return JSON.stringify({
    level: tree.level[row],
    name: tree.names[name],
    module: tree.modules[tree.moduleOf[name]!],
    self: tree.self[row]! * tree.scale,
    total: tree.total[row]! * tree.scale,
  });
}
