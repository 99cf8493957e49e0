/**
 * Stacks as a prefix tree: node i is the stack of its parent with one more frame at the leaf end, and parents come
 * before children. Node 0 is the empty stack, the root of all. The two columns are all that is stored; the hash that
 * finds (parent, frame) lives only while stacks are added.
 *
 * This is TupleTable of width 2 written out: every frame of every sample of every profile passes through `child`.
 */
export class StackTable {
  parents: Uint32Array;
  frames: Uint32Array;
  #count = 1;
  #slots: Int32Array;
  #mask: number;

  constructor(capacity = 1024) {
    this.parents = new Uint32Array(capacity);
    this.frames = new Uint32Array(capacity);
    this.#slots = new Int32Array(capacity * 4);
    this.#mask = capacity * 4 - 1;
  }

  get count(): number {
    return this.#count;
  }

  /** The stack `parent` with `frame` called from its leaf. Slots hold node ids; 0 is free, as the root is nobody's child. */
  child(parent: number, frame: number): number {
    const slots = this.#slots;
    const mask = this.#mask;
    const parents = this.parents;
    const frames = this.frames;
    let slot = hashPair(parent, frame) & mask;
    for (;;) {
      const node = slots[slot]!;
      if (node === 0) break;
      if (parents[node] === parent && frames[node] === frame) return node;
      slot = (slot + 1) & mask;
    }
    const node = this.#count++;
    if (node >= parents.length) this.#grow();
    this.parents[node] = parent;
    this.frames[node] = frame;
    slots[slot] = node;
    if (this.#count * 2 > mask) this.#rehash();
    return node;
  }

  /** Depth of every node; the root's is 0. */
  depths(): Uint32Array {
    const depths = new Uint32Array(this.#count);
    for (let i = 1; i < this.#count; i++) depths[i] = depths[this.parents[i]!]! + 1;
    return depths;
  }

  #grow(): void {
    const size = this.parents.length * 2;
    const parents = new Uint32Array(size);
    const frames = new Uint32Array(size);
    parents.set(this.parents);
    frames.set(this.frames);
    this.parents = parents;
    this.frames = frames;
  }

  #rehash(): void {
    const mask = (this.#mask + 1) * 2 - 1;
    const slots = new Int32Array(mask + 1);
    for (let node = 1; node < this.#count; node++) {
      let slot = hashPair(this.parents[node]!, this.frames[node]!) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = node;
    }
    this.#slots = slots;
    this.#mask = mask;
  }
}

function hashPair(parent: number, frame: number): number {
  let hash = Math.imul(parent, 0x9e3779b1) ^ Math.imul(frame, 0x85ebca6b);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0xc2b2ae35);
  return hash ^ (hash >>> 13);
}
