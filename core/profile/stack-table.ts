import type { Stacks } from './symbol-table.ts';

/** Children of one node that are searched one after the other; a node with more has them hashed. */
const LIST_MAX = 8;

/**
 * Stacks as a prefix tree: node i is the stack of its parent with one more frame at the leaf end, and parents come
 * before children. Node 0 is the empty stack, the root of all. The two columns `parents` and `frames` are all that is
 * stored; what finds (parent, frame) lives only while stacks are added.
 *
 * Every frame of every sample of every profile passes through `child`, so it is built for what stacks look like: most
 * nodes have one child, below a new node everything is new, and one sample often follows the path of the one before.
 * Each node knows the child that was asked for last; the others follow it in a short list, and only the few nodes with
 * many children have these in one hash table. Replicas of one program, and profiles of one process, list most of their
 * stacks in the same order, so a whole path is first held against the stack that came next the last time.
 */
export class StackTable {
  parents: Uint32Array;
  frames: Uint32Array;
  #count = 1;
  /** Per node: the child that was asked for last, or 0 when it has none. Unless hashed, the head of its list. */
  #lastChild: Uint32Array;
  /** Per node: the next child of the same parent in the list, or 0. */
  #sibling: Uint32Array;
  /** Per node: 1 when its children are in #slots instead of a list. */
  #isHashed: Uint8Array;
  /** Open addressing over the children of hashed nodes; 0 is free, as the root is nobody's child. */
  #slots = new Uint32Array(0);
  #mask = -1;
  #hashed = 0;
  /** The stack that was asked for last as a path, and per stack the one that came after it the last time, or 0. */
  #last = 0;
  #followers: Uint32Array;

  constructor(capacity = 1024) {
    this.parents = new Uint32Array(capacity);
    this.frames = new Uint32Array(capacity);
    this.#lastChild = new Uint32Array(capacity);
    this.#sibling = new Uint32Array(capacity);
    this.#isHashed = new Uint8Array(capacity);
    this.#followers = new Uint32Array(capacity);
  }

  get count(): number {
    return this.#count;
  }

  /** The stack `parent` with `frame` called from its leaf. */
  child(parent: number, frame: number): number {
    const last = this.#lastChild[parent]!;
    if (last === 0) return this.#add(parent, frame, 0);
    return this.frames[last] === frame ? last : this.#otherChild(parent, frame, last);
  }

  /**
   * The stack of path[0..length), root first. The same as `child` for each, but with the columns at hand.
   */
  addPath(path: Int32Array, length: number): number {
    const guess = this.#followers[this.#last]!;
    if (this.#isPath(guess, path, length)) return (this.#last = guess);
    const node = this.#walk(path, length);
    this.#followers[this.#last] = node;
    return (this.#last = node);
  }

  /** Goes up from the leaf, where a wrong guess mostly differs. */
  #isPath(stack: number, path: Int32Array, length: number): boolean {
    const { parents, frames } = this;
    let node = stack;
    for (let i = length - 1; i >= 0; i--) {
      if (node === 0 || (frames[node]! | 0) !== path[i]) return false;
      node = parents[node]! | 0;
    }
    return node === 0;
  }

  /** Known stacks are followed in one loop, and from the first new node on the rest is appended in another. */
  #walk(path: Int32Array, length: number): number {
    let node = 0;
    let at = 0;
    while (at < length) {
      const lastChild = this.#lastChild;
      const { frames } = this;
      let last = lastChild[node]!;
      while (last !== 0 && frames[last] === path[at]) {
        node = last;
        if (++at === length) return node;
        last = lastChild[node]!;
      }
      if (last === 0) return this.#append(node, path, at, length);
      node = this.#otherChild(node, path[at++]!, last);
    }
    return node;
  }

  /** Adds the nodes of path[from..length) under a node without children. */
  #append(parent: number, path: Int32Array, from: number, length: number): number {
    while (this.#count + length - from > this.parents.length) this.#grow();
    const { parents, frames } = this;
    const lastChild = this.#lastChild;
    let node = parent;
    let next = this.#count;
    for (let at = from; at < length; at++) {
      parents[next] = node;
      frames[next] = path[at]!;
      lastChild[node] = next;
      node = next++;
    }
    this.#count = next;
    return node;
  }

  /**
   * Adds the stacks of another table, the frames of which are frameOf[frame] here: stackOf[i], which is also the result,
   * becomes the stack here that equals stack i there. Where `wanted` is 0, a stack is passed over and stackOf stays as it
   * is; the parents of wanted ones are wanted. The same as `child` for each, but with the columns at hand.
   */
  addAll(
    from: Stacks,
    frameOf: Uint32Array,
    wanted: Uint8Array = new Uint8Array(from.count).fill(1),
    stackOf: Uint32Array = new Uint32Array(from.count),
  ): Uint32Array {
    while (this.#count + from.count > this.parents.length) this.#grow();
    stackOf[0] = 0;
    this.#addEach(from, frameOf, wanted, stackOf);
    return stackOf;
  }

  /** There must be room for all. Tables that are merged were mostly filled in the same order, so the next node is tried first. */
  #addEach(from: Stacks, frameOf: Uint32Array, wanted: Uint8Array, stackOf: Uint32Array): void {
    const { parents, frames } = this;
    const lastChild = this.#lastChild;
    const fromParents = from.parents;
    const fromFrames = from.frames;
    const { count } = from;
    let node = 0;
    for (let stack = 1; stack < count; stack++) {
      if (wanted[stack] === 0) continue;
      const parent = stackOf[fromParents[stack]!]!;
      const frame = frameOf[fromFrames[stack]!]!;
      node++;
      if (parents[node] !== parent || frames[node] !== frame || node >= this.#count) {
        node = lastChild[parent]!;
        if (node === 0 || frames[node] !== frame) node = this.#otherChild(parent, frame, node);
      }
      stackOf[stack] = node;
    }
  }

  #otherChild(parent: number, frame: number, last: number): number {
    if (last === 0) return this.#add(parent, frame, 0);
    if (this.#isHashed[parent] === 1) return this.#hashedChild(parent, frame);
    const { frames } = this;
    const sibling = this.#sibling;
    let listed = 1;
    for (let before = last, node = sibling[last]!; node !== 0; before = node, node = sibling[node]!) {
      if (frames[node] === frame) {
        sibling[before] = sibling[node]!;
        sibling[node] = last;
        this.#lastChild[parent] = node;
        return node;
      }
      listed++;
    }
    const node = this.#add(parent, frame, last);
    if (listed === LIST_MAX) this.#hashChildren(parent, node);
    return node;
  }

  #add(parent: number, frame: number, sibling: number): number {
    const node = this.#count;
    if (node === this.parents.length) this.#grow();
    this.#count = node + 1;
    this.parents[node] = parent;
    this.frames[node] = frame;
    this.#sibling[node] = sibling;
    this.#lastChild[parent] = node;
    return node;
  }

  #hashedChild(parent: number, frame: number): number {
    const slots = this.#slots;
    const mask = this.#mask;
    const { parents, frames } = this;
    let slot = hashPair(parent, frame) & mask;
    for (let node = slots[slot]!; node !== 0; node = slots[slot]!) {
      if (frames[node] === frame && parents[node] === parent) {
        this.#lastChild[parent] = node;
        return node;
      }
      slot = (slot + 1) & mask;
    }
    const node = this.#add(parent, frame, 0);
    slots[slot] = node;
    if (++this.#hashed * 2 > mask) this.#rehash();
    return node;
  }

  /** Moves the children of a node from its list, which starts with `head`, to the hash table. */
  #hashChildren(parent: number, head: number): void {
    this.#isHashed[parent] = 1;
    for (let node = head; node !== 0; node = this.#sibling[node]!) {
      if (++this.#hashed * 2 > this.#mask) this.#rehash();
      this.#insert(node);
    }
  }

  #insert(node: number): void {
    let slot = hashPair(this.parents[node]!, this.frames[node]!) & this.#mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & this.#mask;
    this.#slots[slot] = node;
  }

  #rehash(): void {
    const before = this.#slots;
    const size = Math.max(64, before.length * 4);
    this.#slots = new Uint32Array(size);
    this.#mask = size - 1;
    for (let i = 0; i < before.length; i++) if (before[i] !== 0) this.#insert(before[i]!);
  }

  /** Depth of every node; the root's is 0. */
  depths(): Uint32Array {
    const depths = new Uint32Array(this.#count);
    for (let i = 1; i < this.#count; i++) depths[i] = depths[this.parents[i]!]! + 1;
    return depths;
  }

  #grow(): void {
    const size = this.parents.length * 2;
    this.parents = grown(this.parents, size);
    this.frames = grown(this.frames, size);
    this.#lastChild = grown(this.#lastChild, size);
    this.#sibling = grown(this.#sibling, size);
    this.#followers = grown(this.#followers, size);
    const isHashed = new Uint8Array(size);
    isHashed.set(this.#isHashed);
    this.#isHashed = isHashed;
  }
}

function grown(column: Uint32Array, size: number): Uint32Array {
  const next = new Uint32Array(size);
  next.set(column);
  return next;
}

/** Two rounds of multiply and xorshift (the finaliser of MurmurHash3). */
function hashPair(parent: number, frame: number): number {
  let hash = Math.imul(parent, 0x9e3779b1) ^ Math.imul(frame, 0x85ebca6b);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0xc2b2ae35);
  return hash ^ (hash >>> 13);
}
