import type { CallTree } from './call-tree.ts';
import { scaler } from './flame-levels.ts';

/**
 * Folded stacks, the text that flamegraph.pl and most viewers read: `main;serve;handle 42` per row with samples, root
 * first, in the tree's unit. Semicolons and line breaks inside names become `:` and spaces. Yields pieces of about
 * 64 KiB, so a deep tree never is one string in memory.
 */
export function* foldedText(tree: CallTree): Generator<string> {
  const clean = tree.names.map((name) => name.replaceAll(';', ':').replace(/[\r\n]+/g, ' '));
  const scaled = scaler(tree.scale);
  const stack: string[] = [];
  let piece = '';
  for (let row = 0; row < tree.nameOf.length; row++) {
    const level = tree.level[row];
    // The root is not part of a stack; samples on the root itself have none and are written under its name.
    stack.length = Math.max(0, level - 1);
    if (level > 0) stack.push(clean[tree.nameOf[row]]);
    if (tree.self[row] === 0) continue;
    piece += `${level === 0 ? clean[0] : stack.join(';')} ${scaled(tree.self[row])}\n`;
    if (piece.length < 65_536) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}
