import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { type CallTree, FrameKind } from '../../core/flamegraph/call-tree.ts';
import { INT64_MAX, scaler } from '../../core/flamegraph/flame-levels.ts';

/**
 * The tree format of querier.v1 (PROFILE_FORMAT_TREE): depth first, last child first, per node its name (length before
 * it), self value and number of children, all numbers uvarint. The root has no name. An empty tree is no bytes.
 */
export function treeBytes(tree: CallTree): Uint8Array {
  const out = new BinaryWriter();
  if (tree.total[0] === 0) return out.finish();
  const scaled = scaler(tree.scale);
  const open = [0];
  for (let row = open.pop(); row !== undefined; row = open.pop()) {
    const before = open.length;
    // Pushed left to right, so that the last child is taken off first.
    for (let child = row + 1; child < tree.end[row]; child = tree.end[child]) open.push(child);
    out.string(nameOf(tree, row));
    out.uint64(saturated(scaled(tree.self[row])));
    out.uint32(open.length - before);
  }
  return out.finish();
}

function nameOf(tree: CallTree, row: number): string {
  if (row === 0) return '';
  const name = tree.nameOf[row];
  return tree.kinds[name] === FrameKind.marker ? 'other' : tree.names[name];
}

function saturated(value: bigint): bigint {
  return value < INT64_MAX ? value : INT64_MAX;
}
