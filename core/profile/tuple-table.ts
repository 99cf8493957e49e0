/**
 * Distinct rows of `width` unsigned 32-bit numbers, interned by content and numbered from 0 in order of first sight.
 * Row 0 is all zero and stands for "not set". Functions, mappings, frames and stacks are all such tables.
 */
export class TupleTable {
  readonly width: number;
  /** Row i is rows[i*width .. (i+1)*width). May be longer than count rows; may be replaced by intern. */
  rows: Uint32Array;
  #count = 1;
  /** The row that was found or added last. */
  #last = 0;
  #slots: Int32Array;
  #mask: number;

  constructor(width: number, capacity = 64) {
    this.width = width;
    this.rows = new Uint32Array(width * capacity);
    this.#slots = new Int32Array(capacity * 2).fill(-1);
    this.#mask = capacity * 2 - 1;
    this.#slots[hashRow(this.rows, 0, width) & this.#mask] = 0;
  }

  get count(): number {
    return this.#count;
  }

  at(row: number, column: number): number {
    return this.rows[row * this.width + column]!;
  }

  /**
   * The number of the row tuple[0..width). Tables that are merged were mostly filled in the same order, so the row
   * after the one that was found last is tried before anything is hashed.
   */
  intern(tuple: Uint32Array): number {
    const width = this.width;
    const guess = this.#last + 1;
    if (guess < this.#count && this.#isRow(guess, tuple)) return (this.#last = guess);
    const slots = this.#slots;
    const mask = this.#mask;
    let slot = hashRow(tuple, 0, width) & mask;
    for (;;) {
      const id = slots[slot]!;
      if (id < 0) break;
      if (this.#isRow(id, tuple)) return (this.#last = id);
      slot = (slot + 1) & mask;
    }
    const id = this.#count++;
    if ((id + 1) * width > this.rows.length) {
      const next = new Uint32Array(this.rows.length * growthOf(id));
      next.set(this.rows);
      this.rows = next;
    }
    const { rows } = this;
    const at = Math.imul(id, width);
    for (let i = 0; i < width; i++) rows[at + i] = tuple[i]!;
    slots[slot] = id;
    if (this.#count * 2 > this.#mask) this.#rehash();
    return (this.#last = id);
  }

  #isRow(id: number, tuple: Uint32Array): boolean {
    const { rows, width } = this;
    const at = Math.imul(id, width);
    for (let i = 0; i < width; i++) if (rows[at + i] !== tuple[i]) return false;
    return true;
  }

  #rehash(): void {
    const mask = (this.#mask + 1) * growthOf(this.#count) - 1;
    const slots = new Int32Array(mask + 1).fill(-1);
    for (let id = 0; id < this.#count; id++) {
      let slot = hashRow(this.rows, id * this.width, this.width) & mask;
      while (slots[slot]! >= 0) slot = (slot + 1) & mask;
      slots[slot] = id;
    }
    this.#slots = slots;
    this.#mask = mask;
  }
}

/** Small tables grow in larger steps: most datasets are small, and every step costs two allocations and a rehash. */
function growthOf(count: number): number {
  return count < 4096 ? 4 : 2;
}

/** MurmurHash3 (x86, 32 bits) over the numbers of one row. */
function hashRow(rows: Uint32Array, at: number, width: number): number {
  let hash = width;
  for (let i = 0; i < width; i++) {
    const mixed = Math.imul(rows[at + i]!, 0xcc9e2d51);
    hash ^= Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
