import { FrameKind, ROOT_NAME } from './call-tree.ts';

/** Distinct call paths: node 0 is the root, every other node is (parent, name), and its number is above its parent's. */
export interface Paths {
  readonly count: number;
  /** Per node; may be longer than `count`. */
  readonly parentOf: Uint32Array;
  readonly nameOf: Uint32Array;
  /** Per name. */
  readonly names: readonly string[];
  readonly kinds: readonly number[];
  readonly moduleNames: readonly string[];
}

/**
 * Distinct call paths while a tree is being put together: node 0 is the root, every other node is (parent, name) and
 * has a number above its parent's. Interned through open addressing over typed arrays: one lookup per frame of a
 * stack, no object per node.
 */
export class PathTable implements Paths {
  /** Per name. Name 0 is the root's; a function that is really called "total" gets a number of its own. */
  readonly names: string[] = [ROOT_NAME];
  readonly kinds: number[] = [FrameKind.unknown];
  readonly moduleNames: string[] = [''];
  readonly #nameIds = new Map<string, number>();

  /** Per node; longer than `count`, and replaced while growing. */
  parentOf = new Uint32Array(INITIAL_NODES);
  nameOf = new Uint32Array(INITIAL_NODES);
  #count = 1;
  #slots = new Int32Array(INITIAL_NODES * 2);
  #mask = INITIAL_NODES * 2 - 1;

  get count(): number {
    return this.#count;
  }

  /**
   * The number of a name. Two frames that print alike share one name; where they disagree on kind or module, the
   * smaller of both wins, so that the order of calls changes nothing. Markers never mix with functions.
   */
  name(text: string, kind: FrameKind, module: string): number {
    const key = kind === FrameKind.marker ? `\0${text}` : text;
    const known = this.#nameIds.get(key);
    if (known !== undefined) {
      this.#settle(known, kind, module);
      return known;
    }
    const id = this.names.push(text) - 1;
    this.kinds.push(kind);
    this.moduleNames.push(module);
    this.#nameIds.set(key, id);
    return id;
  }

  #settle(id: number, kind: FrameKind, module: string): void {
    if (isBefore(kind, this.kinds[id], FrameKind.unknown)) this.kinds[id] = kind;
    if (isBefore(module, this.moduleNames[id], '')) this.moduleNames[id] = module;
  }

  /** The node under `parent` with this name, added when it is new. */
  child(parent: number, nameId: number): number {
    let slot = hashPath(parent, nameId) & this.#mask;
    for (let node = this.#slots[slot]; node !== 0; node = this.#slots[slot]) {
      if (this.parentOf[node] === parent && this.nameOf[node] === nameId) return node;
      slot = (slot + 1) & this.#mask;
    }
    const node = this.#count++;
    if (node === this.parentOf.length) this.#growNodes();
    this.parentOf[node] = parent;
    this.nameOf[node] = nameId;
    this.#slots[slot] = node;
    if (this.#count * 2 > this.#mask) this.#rehash();
    return node;
  }

  #growNodes(): void {
    const size = this.parentOf.length * 2;
    const parents = new Uint32Array(size);
    parents.set(this.parentOf);
    this.parentOf = parents;
    const names = new Uint32Array(size);
    names.set(this.nameOf);
    this.nameOf = names;
  }

  #rehash(): void {
    const mask = (this.#mask + 1) * 2 - 1;
    const slots = new Int32Array(mask + 1);
    for (let node = 1; node < this.#count; node++) {
      let slot = hashPath(this.parentOf[node], this.nameOf[node]) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = node;
    }
    this.#slots = slots;
    this.#mask = mask;
  }
}

const INITIAL_NODES = 256;

/** Smaller wins, and anything said wins over `unsaid`. */
function isBefore<T>(candidate: T, current: T, unsaid: T): boolean {
  if (candidate === unsaid) return false;
  return current === unsaid || candidate < current;
}

/** Multiply-xorshift of both numbers (the finaliser of MurmurHash3). */
function hashPath(parent: number, name: number): number {
  let hash = Math.imul(parent, 0x9e3779b1) ^ Math.imul(name + 1, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35);
  return (hash ^ (hash >>> 13)) >>> 0;
}
