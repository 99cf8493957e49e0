import type { CallTree, FrameKind } from './call-tree.ts';
import { nameIds } from './diff.ts';
import { invertRows } from './invert.ts';
import { PathTable } from './path-table.ts';
import { DROPPED, type SiblingOrder } from './preorder.ts';
import { focusRows } from './sandwich.ts';
import { moveRows, type TreeSides } from './tree-sides.ts';

/**
 * One step that reshapes a tree. `name` is the text of a function, `module` the text of a module. Steps are applied
 * in order, and each says what value it took away.
 */
export type Transform =
  /** Only what runs under this function; it becomes the child of the root. */
  | { kind: 'focus'; name: string }
  /** The function's frames vanish; their own samples and callees go to the caller. */
  | { kind: 'hide'; name: string }
  /** Stacks that pass through the function vanish, value and all. */
  | { kind: 'drop'; name: string }
  /** A function called by itself, directly or through others, becomes one frame per stack. */
  | { kind: 'collapse-recursion' }
  /** Neighbouring frames of this module become one frame named after the module. */
  | { kind: 'collapse-module'; module: string }
  /** Bottom-up: the functions that hold samples come first, their callers below. */
  | { kind: 'invert' };

export interface Transformed {
  sides: TreeSides;
  /** Value of the samples that are gone, left and right, in units of the tree's scale. */
  dropped: { left: number; right: number };
}

/** Applies the steps in order. Names and modules that do not occur leave the tree as it is, save for `focus`. */
export function applyTransforms(
  sides: TreeSides,
  steps: readonly Transform[],
  order: SiblingOrder = 'heavy',
): Transformed {
  let result = sides;
  for (const step of steps) result = applyTransform(result, step, order);
  return {
    sides: result,
    dropped: {
      left: sides.tree.total[0] - result.tree.total[0],
      right: (sides.right?.total[0] ?? 0) - (result.right?.total[0] ?? 0),
    },
  };
}

/** The same tree with its siblings in another order. */
export function reorder(sides: TreeSides, order: SiblingOrder): TreeSides {
  return rebuild(sides, order, (_row, parent, keep) => keep(parent));
}

function applyTransform(sides: TreeSides, step: Transform, order: SiblingOrder): TreeSides {
  switch (step.kind) {
    case 'invert':
      return invertRows(sides, order);
    case 'focus':
      return focusRows(sides, step.name, order);
    case 'hide':
      return hideName(sides, step.name, order);
    case 'drop':
      return dropName(sides, step.name, order);
    case 'collapse-recursion':
      return collapseRecursion(sides, order);
    case 'collapse-module':
      return collapseModule(sides, step.module, order);
  }
}

function hideName(sides: TreeSides, name: string, order: SiblingOrder): TreeSides {
  const { tree } = sides;
  const hidden = marked(tree, (id) => tree.names[id] === name);
  return rebuild(sides, order, (row, parent, keep) => (hidden[tree.nameOf[row]] ? parent : keep(parent)));
}

function dropName(sides: TreeSides, name: string, order: SiblingOrder): TreeSides {
  const { tree } = sides;
  const dropped = marked(tree, (id) => tree.names[id] === name);
  return rebuild(sides, order, (row, parent, keep) => (dropped[tree.nameOf[row]] ? DROPPED : keep(parent)));
}

/**
 * A frame whose function is already on the stack joins that frame, and what it calls hangs there: the stack
 * main › f › g › f › h becomes main › f › h, its value unchanged.
 */
function collapseRecursion(sides: TreeSides, order: SiblingOrder): TreeSides {
  const { tree } = sides;
  // Per name: the node of its outermost open occurrence, valid while row < openEnd.
  const openNode = new Int32Array(tree.names.length);
  const openEnd = new Uint32Array(tree.names.length);
  return rebuild(sides, order, (row, parent, keep) => {
    const name = tree.nameOf[row];
    if (row < openEnd[name]) return openNode[name];
    const node = keep(parent);
    openNode[name] = node;
    openEnd[name] = tree.end[row];
    return node;
  });
}

function collapseModule(sides: TreeSides, module: string, order: SiblingOrder): TreeSides {
  const { tree } = sides;
  const inside = marked(tree, (id) => tree.modules[tree.moduleOf[id]] === module);
  return rebuild(sides, order, (row, parent, keep, paths) => {
    if (!inside[tree.nameOf[row]]) return keep(parent);
    const above = tree.parent[row];
    if (row !== 0 && above !== 0 && inside[tree.nameOf[above]]) return parent;
    return paths.child(parent, paths.name(`[${module}]`, tree.kinds[tree.nameOf[row]] as FrameKind, module));
  });
}

/**
 * Walks the rows from the root down; `place` says which node of the new tree each row goes to, given the node of its
 * parent. Rows under a DROPPED row are dropped unasked.
 */
function rebuild(
  sides: TreeSides,
  order: SiblingOrder,
  place: (row: number, parent: number, keep: (parent: number) => number, paths: PathTable) => number,
): TreeSides {
  const { tree } = sides;
  const paths = new PathTable();
  const ids = nameIds(paths, tree);
  const target = new Int32Array(tree.nameOf.length);
  let current = 0;
  const keep = (parent: number) => paths.child(parent, ids[tree.nameOf[current]]);
  for (let row = 1; row < target.length; row++) {
    current = row;
    const parent = target[tree.parent[row]];
    target[row] = parent === DROPPED ? DROPPED : place(row, parent, keep, paths);
  }
  return moveRows(sides, paths, target, order);
}

/** Per name: 1 where the predicate holds. The root's name never counts. */
function marked(tree: CallTree, predicate: (name: number) => boolean): Uint8Array {
  const result = new Uint8Array(tree.names.length);
  for (let name = 1; name < result.length; name++) result[name] = predicate(name) ? 1 : 0;
  return result;
}
