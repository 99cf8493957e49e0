// Strings are kept as UTF-8 bytes, interned by content, and decoded to JavaScript strings only when somebody reads
// them: merging a million profiles never builds a string.

/** Strings in columns, as a block holds them: string i is bytes[starts[i]..starts[i+1]); string 0 is "". */
export interface Strings {
  readonly count: number;
  readonly bytes: Uint8Array;
  readonly starts: Uint32Array;
  /** String `id` as text; broken UTF-8 reads as U+FFFD. */
  text(id: number): string;
  /** The same for a moment: where it is kept, it may keep the text of all strings with it. */
  passingText(id: number): string;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Distinct byte strings, numbered from 0 in order of first sight. String 0 is "". */
export class StringTable implements Strings {
  #count = 1;
  #bytes = new Uint8Array(4096);
  #view: DataView = new DataView(this.#bytes.buffer);
  /** The bytes that were read last, and a view of them. */
  #source: Uint8Array = this.#bytes;
  #sourceView: DataView = this.#view;
  #used = 0;
  /** The string that was found or added last. */
  #last = 0;
  /** starts[i]..starts[i+1] is string i. */
  #starts = new Uint32Array(256);
  #hashes = new Int32Array(256);
  #slots = new Int32Array(512).fill(-1);
  #mask = 511;
  #texts: (string | undefined)[] = [''];

  constructor() {
    this.#slots[hashBytes(this.#bytes, this.#view, 0, 0) & this.#mask] = 0;
    this.#hashes[0] = hashBytes(this.#bytes, this.#view, 0, 0);
  }

  get count(): number {
    return this.#count;
  }

  /** Total bytes of all strings. */
  get byteLength(): number {
    return this.#used;
  }

  /**
   * The id of the string source[start..end). Tables that are merged were mostly filled in the same order, so the string
   * after the one that was found last is tried before anything is hashed.
   */
  intern(source: Uint8Array, start: number, end: number): number {
    const guess = this.#last + 1;
    if (guess < this.#count && this.#equals(guess, source, start, end)) return (this.#last = guess);
    const hash = hashBytes(source, this.#viewOf(source), start, end);
    const slots = this.#slots;
    const mask = this.#mask;
    let slot = hash & mask;
    for (;;) {
      const id = slots[slot]!;
      if (id < 0) return (this.#last = this.#add(source, start, end, hash, slot));
      if (this.#hashes[id] === hash && this.#equals(id, source, start, end)) return (this.#last = id);
      slot = (slot + 1) & mask;
    }
  }

  /** The ids of all strings of another table: result[i] is that of string i there. */
  internAll({ count, bytes, starts }: Strings): Uint32Array {
    const ids = new Uint32Array(count);
    for (let i = 1; i < count; i++) ids[i] = this.intern(bytes, starts[i]!, starts[i + 1]!);
    this.release();
    return ids;
  }

  internText(text: string): number {
    if (text === '') return 0;
    const bytes = encoder.encode(text);
    return this.intern(bytes, 0, bytes.length);
  }

  /** The id of the text, or -1 when it is not in the table. */
  find(text: string): number {
    const bytes = encoder.encode(text);
    const hash = hashBytes(bytes, this.#viewOf(bytes), 0, bytes.length);
    let slot = hash & this.#mask;
    for (;;) {
      const id = this.#slots[slot]!;
      if (id < 0) return -1;
      if (this.#hashes[id] === hash && this.#equals(id, bytes, 0, bytes.length)) return id;
      slot = (slot + 1) & this.#mask;
    }
  }

  text(id: number): string {
    return (this.#texts[id] ??= decoder.decode(this.bytesOf(id)));
  }

  passingText(id: number): string {
    return this.text(id);
  }

  /** The bytes of string `id`, as a view that the next intern may move. */
  bytesOf(id: number): Uint8Array {
    return this.#bytes.subarray(this.#starts[id], this.#starts[id + 1]);
  }

  lengthOf(id: number): number {
    return this.#starts[id + 1]! - this.#starts[id]!;
  }

  /** All bytes of all strings, one after the other; replaced when the table grows. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  get starts(): Uint32Array {
    return this.#starts;
  }

  #equals(id: number, source: Uint8Array, start: number, end: number): boolean {
    const starts = this.#starts;
    const shift = (starts[id]! - start) | 0;
    if (((starts[id + 1]! - shift) | 0) !== end) return false;
    const own = this.#view;
    const other = this.#viewOf(source);
    let i = start;
    for (const last = end - 3; i < last; i += 4) {
      if (own.getInt32((i + shift) | 0, true) !== other.getInt32(i, true)) return false;
    }
    const bytes = this.#bytes;
    for (; i < end; i++) if (bytes[(i + shift) | 0] !== source[i]) return false;
    return true;
  }

  /** Lets go of the bytes that were read last, which may be those of a large profile. */
  release(): void {
    this.#source = this.#bytes;
    this.#sourceView = this.#view;
  }

  #viewOf(source: Uint8Array): DataView {
    if (source !== this.#source) {
      this.#source = source;
      this.#sourceView = new DataView(source.buffer, source.byteOffset, source.byteLength);
    }
    return this.#sourceView;
  }

  #add(source: Uint8Array, start: number, end: number, hash: number, slot: number): number {
    const id = this.#count++;
    const length = end - start;
    if (this.#used + length > this.#bytes.length) {
      const next = new Uint8Array(Math.max(this.#bytes.length * growthOf(id), this.#used + length));
      next.set(this.#bytes.subarray(0, this.#used));
      this.#bytes = next;
      this.#view = new DataView(next.buffer);
    }
    if (id + 2 > this.#starts.length) {
      this.#starts = grown(this.#starts, this.#starts.length * growthOf(id));
      const hashes = new Int32Array(this.#hashes.length * growthOf(id));
      hashes.set(this.#hashes);
      this.#hashes = hashes;
    }
    // Short strings are copied by hand: set() with a subarray costs more than the copy itself.
    const bytes = this.#bytes;
    const used = this.#used;
    if (length < 48) for (let i = 0; i < length; i++) bytes[used + i] = source[start + i]!;
    else bytes.set(source.subarray(start, end), used);
    this.#used = used + length;
    this.#starts[id + 1] = this.#used;
    this.#hashes[id] = hash;
    this.#slots[slot] = id;
    if (this.#count * 2 > this.#mask) this.#rehash();
    return id;
  }

  #rehash(): void {
    const size = (this.#mask + 1) * growthOf(this.#count);
    const mask = size - 1;
    const slots = new Int32Array(size).fill(-1);
    for (let id = 0; id < this.#count; id++) {
      let slot = this.#hashes[id]! & mask;
      while (slots[slot]! >= 0) slot = (slot + 1) & mask;
      slots[slot] = id;
    }
    this.#slots = slots;
    this.#mask = mask;
  }
}

function grown(column: Uint32Array, size: number): Uint32Array<ArrayBuffer> {
  const next = new Uint32Array(size);
  next.set(column);
  return next;
}

/** Small tables grow in larger steps: most datasets are small, and every step costs allocations and a rehash. */
function growthOf(count: number): number {
  return count < 4096 ? 4 : 2;
}

/** MurmurHash3 (x86, 32 bits): four bytes a step, and its final mix, as the low bits choose the slot. */
function hashBytes(bytes: Uint8Array, view: DataView, start: number, end: number): number {
  let hash = end - start;
  let i = start;
  for (const last = end - 3; i < last; i += 4) {
    hash ^= scramble(view.getInt32(i, true));
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  let rest = 0;
  for (let shift = 0; i < end; i++, shift += 8) rest |= bytes[i]! << shift;
  hash ^= scramble(rest);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

function scramble(word: number): number {
  const mixed = Math.imul(word, 0xcc9e2d51);
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
}

/** Strings over borrowed bytes, decoded to text when somebody reads them. */
export class StringColumn implements Strings {
  readonly bytes: Uint8Array;
  readonly starts: Uint32Array;
  readonly #texts: (string | undefined)[] = [''];
  /** All bytes as text, '' unless each is a character: parts of it cost a tenth of decoding strings one by one. */
  #whole: string | undefined;

  constructor(bytes: Uint8Array, starts: Uint32Array) {
    this.bytes = bytes;
    this.starts = starts;
  }

  get count(): number {
    return this.starts.length - 1;
  }

  text(id: number): string {
    return (this.#texts[id] ??= decoder.decode(this.bytes.subarray(this.starts[id], this.starts[id + 1])));
  }

  passingText(id: number): string {
    this.#whole ??= asciiText(this.bytes);
    return this.#whole === '' ? this.text(id) : this.#whole.slice(this.starts[id], this.starts[id + 1]);
  }
}

/** '' when a byte is not ASCII. */
function asciiText(bytes: Uint8Array): string {
  const text = decoder.decode(bytes);
  // A byte order mark is left out of the text.
  return text.length === bytes.length && /^\p{ASCII}*$/u.test(text) ? text : '';
}
