import type { CallTree } from '../../../core/flamegraph/call-tree.ts';

/**
 * A row's path from the root as a short text: 64 bits of hash in base 36. It names the same frame in any other tree
 * that has the same path, so a link or a refresh keeps its zoom however the rows moved.
 */
export function pathHash(tree: CallTree, row: number): string {
  const path: number[] = [];
  for (let at = row; at !== 0; at = tree.parent[at]) path.push(at);
  let a = SEED_A;
  let b = SEED_B;
  for (const at of path.reverse()) {
    const name = nameHash(tree.names[tree.nameOf[at]]);
    a = mix(a, name);
    b = mix(b, name ^ SEED_B);
  }
  return toText(a, b);
}

/** The row with that hash, or -1. One pass over the rows. */
export function findPath(tree: CallTree, hash: string): number {
  const names = Int32Array.from(tree.names, nameHash);
  const rows = tree.nameOf.length;
  const a = new Int32Array(rows);
  const b = new Int32Array(rows);
  a[0] = SEED_A;
  b[0] = SEED_B;
  for (let row = 1; row < rows; row++) {
    const name = names[tree.nameOf[row]];
    a[row] = mix(a[tree.parent[row]], name);
    b[row] = mix(b[tree.parent[row]], name ^ SEED_B);
    if (toNumber(a[row]) % 1024 === lowBits(hash) && toText(a[row], b[row]) === hash) return row;
  }
  return -1;
}

const SEED_A = 0x9e3779b9 | 0;
const SEED_B = 0x85ebca6b | 0;

/** Of the hash's first half, to sort out most rows without making a text. */
function lowBits(hash: string): number {
  return Number.parseInt(hash.slice(0, 7), 36) % 1024;
}

function toText(a: number, b: number): string {
  return toNumber(a).toString(36).padStart(7, '0') + toNumber(b).toString(36).padStart(7, '0');
}

function toNumber(value: number): number {
  return value >>> 0;
}

function mix(hash: number, value: number): number {
  let mixed = Math.imul(hash ^ value, 0xc2b2ae35);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d);
  return mixed ^ (mixed >>> 13);
}

/** FNV-1a over UTF-16 code units. */
export function nameHash(name: string): number {
  let hash = 0x811c9dc5 | 0;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash;
}
