/** Children of one node that are searched one after the other; a node with more has them hashed. */
const LIST_MAX = 8;
/** Instead of a first child: the node's children are in the hash table. */
const HASHED = 0xffffffff;

/**
 * Stacks as a prefix tree: node i is the stack of its parent with one more frame at the leaf end, and parents come
 * before children. Node 0 is the empty stack, the root of all. The two columns `parents` and `frames` are all that is
 * stored; what finds (parent, frame) lives only while stacks are added.
 *
 * Every frame of every sample of every profile passes through `child`, so it is built for what stacks look like: most
 * nodes have one child, and below a new node everything is new. Children form a short list (first child, next
 * sibling), whose nodes were mostly added together and so lie side by side in memory; the few nodes with many children
 * have them in one hash table.
 */
export class StackTable {
  parents: Uint32Array;
  frames: Uint32Array;
  #count = 1;
  /** Per node: its newest child, 0 when it has none, or HASHED. */
  #firstChild: Uint32Array;
  /** Per node: the next older child of the same parent, or 0. */
  #sibling: Uint32Array;
  /** Open addressing over the children of hashed nodes; 0 is free, as the root is nobody's child. */
  #slots = new Uint32Array(0);
  #mask = -1;
  #hashed = 0;

  constructor(capacity = 1024) {
    this.parents = new Uint32Array(capacity);
    this.frames = new Uint32Array(capacity);
    this.#firstChild = new Uint32Array(capacity);
    this.#sibling = new Uint32Array(capacity);
  }

  get count(): number {
    return this.#count;
  }

  /** The stack `parent` with `frame` called from its leaf. */
  child(parent: number, frame: number): number {
    const first = this.#firstChild[parent]!;
    if (first === 0) return this.#add(parent, frame, 0);
    if (first === HASHED) return this.#hashedChild(parent, frame);
    const { frames } = this;
    if (frames[first] === frame) return first;
    let listed = 1;
    for (let node = this.#sibling[first]!; node !== 0; node = this.#sibling[node]!) {
      if (frames[node] === frame) return node;
      listed++;
    }
    const node = this.#add(parent, frame, first);
    if (listed === LIST_MAX) this.#hashChildren(parent);
    return node;
  }

  #add(parent: number, frame: number, sibling: number): number {
    const node = this.#count;
    if (node === this.parents.length) this.#grow();
    this.#count = node + 1;
    this.parents[node] = parent;
    this.frames[node] = frame;
    this.#sibling[node] = sibling;
    this.#firstChild[parent] = node;
    return node;
  }

  #hashedChild(parent: number, frame: number): number {
    const slots = this.#slots;
    const mask = this.#mask;
    const { parents, frames } = this;
    let slot = hashPair(parent, frame) & mask;
    for (let node = slots[slot]!; node !== 0; node = slots[slot]!) {
      if (frames[node] === frame && parents[node] === parent) return node;
      slot = (slot + 1) & mask;
    }
    const node = this.#add(parent, frame, 0);
    this.#firstChild[parent] = HASHED;
    slots[slot] = node;
    if (++this.#hashed * 2 > mask) this.#rehash();
    return node;
  }

  /** Moves the children of a node from its list to the hash table. */
  #hashChildren(parent: number): void {
    let node = this.#firstChild[parent]!;
    this.#firstChild[parent] = HASHED;
    while (node !== 0) {
      if (++this.#hashed * 2 > this.#mask) this.#rehash();
      this.#insert(node);
      node = this.#sibling[node]!;
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
    this.parents = doubled(this.parents);
    this.frames = doubled(this.frames);
    this.#firstChild = doubled(this.#firstChild);
    this.#sibling = doubled(this.#sibling);
  }
}

function doubled(column: Uint32Array): Uint32Array {
  const next = new Uint32Array(column.length * 2);
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
