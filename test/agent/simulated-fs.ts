import type { SpoolFile, SpoolFs } from '../../agent/spool/spool-fs.ts';

/** Thrown in the middle of a call: the process, or the machine, is gone. Not a file system error: nobody may catch it. */
export class Crash extends Error {
  override name = 'Crash';
}

interface Content {
  bytes: Uint8Array;
  /** As of the last sync. */
  durable: Uint8Array;
}

function fsError(code: string, syscall: string): Error {
  return Object.assign(new Error(`${code}: ${syscall}`), { code, syscall });
}

/**
 * A file system in memory that can crash inside any call, lose what was not synced, run out of room and flip bits.
 * Paths are plain keys; folders exist by name only.
 */
export class SimulatedFs implements SpoolFs {
  #files = new Map<string, Content>();
  /** Names as of the last sync of their folder. */
  #durableNames = new Map<string, Content>();
  readonly #random: () => number;
  /** Most bytes of all files together. */
  capacity = Number.POSITIVE_INFINITY;
  /** Calls that change something until the crash; it happens inside that call. */
  crashAfter = Number.POSITIVE_INFINITY;
  /** Changing calls so far. */
  changes = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  get used(): number {
    let used = 0;
    for (const { bytes } of this.#files.values()) used += bytes.length;
    return used;
  }

  makeFolder(): void {}

  list(path: string): string[] {
    const prefix = `${path}/`;
    const names = [...this.#files.keys()].filter((name) => name.startsWith(prefix));
    return names.map((name) => name.slice(prefix.length)).filter((name) => !name.includes('/'));
  }

  open(path: string): SpoolFile {
    let content = this.#files.get(path);
    if (content === undefined) {
      this.#change();
      content = { bytes: new Uint8Array(0), durable: new Uint8Array(0) };
      this.#files.set(path, content);
    }
    return this.#fileOf(content);
  }

  remove(path: string): void {
    this.#change();
    if (!this.#files.delete(path)) throw fsError('ENOENT', 'unlink');
  }

  syncFolder(path: string): void {
    this.#change();
    const prefix = `${path}/`;
    for (const name of this.#durableNames.keys())
      if (name.startsWith(prefix)) this.#durableNames.delete(name);
    for (const [name, content] of this.#files)
      if (name.startsWith(prefix)) this.#durableNames.set(name, content);
  }

  /** What is found after the process died: everything that was written. */
  restartProcess(): void {
    this.crashAfter = Number.POSITIVE_INFINITY;
  }

  /** What is found after the power was lost: what was synced, and any part of what was not. */
  losePower(): void {
    this.crashAfter = Number.POSITIVE_INFINITY;
    for (const [name, content] of this.#durableNames) {
      if (!this.#files.has(name) && this.#random() < 0.5) this.#files.set(name, content);
    }
    for (const [name, content] of this.#files) {
      if (!this.#durableNames.has(name) && this.#random() < 0.5) this.#files.delete(name);
      else content.bytes = content.durable = this.#mixture(content);
    }
    this.#durableNames = new Map(this.#files);
  }

  /** The same files, on their own: nothing crashes there, and there is room. */
  copy(): SimulatedFs {
    const copy = new SimulatedFs(this.#random);
    for (const [name, { bytes, durable }] of this.#files) {
      copy.#files.set(name, { bytes: bytes.slice(), durable: durable.slice() });
    }
    copy.#durableNames = new Map(copy.#files);
    return copy;
  }

  /** Flips one bit of a file. */
  flip(path: string, at: number, bit: number): void {
    const content = this.#files.get(path)!;
    content.bytes[at]! ^= 1 << bit;
    if (at < content.durable.length) content.durable[at]! ^= 1 << bit;
  }

  sizeOf(path: string): number {
    return this.#files.get(path)?.bytes.length ?? 0;
  }

  /** Sectors of 512 bytes come from before or after; the length too. */
  #mixture({ bytes, durable }: Content): Uint8Array {
    const length = this.#random() < 0.5 ? bytes.length : durable.length;
    const mixed = new Uint8Array(length);
    for (let at = 0; at < length; at += 512) {
      const source = this.#random() < 0.5 ? bytes : durable;
      mixed.set(source.subarray(at, Math.min(at + 512, length)), at);
    }
    return mixed;
  }

  /** @returns whether this call crashes half-way */
  #change(): void {
    this.changes++;
    if (--this.crashAfter <= 0) throw new Crash();
  }

  #fileOf(content: Content): SpoolFile {
    return {
      size: () => content.bytes.length,
      read: (at, length) => content.bytes.slice(at, at + length),
      write: (at, bytes) => this.#write(content, at, bytes),
      truncate: (length) => {
        this.#change();
        content.bytes = content.bytes.slice(0, length);
      },
      sync: () => {
        this.#change();
        content.durable = content.bytes.slice();
      },
      close: () => {},
    };
  }

  #write(content: Content, at: number, bytes: Uint8Array): void {
    let room = bytes.length;
    const growth = Math.max(0, at + bytes.length - content.bytes.length);
    const free = this.capacity - this.used;
    const isFull = growth > free;
    if (isFull) room = Math.max(0, bytes.length - (growth - Math.max(0, free)));
    try {
      this.#change();
    } catch (crash) {
      place(content, at, bytes.subarray(0, Math.floor(this.#random() * (room + 1))));
      throw crash;
    }
    place(content, at, bytes.subarray(0, room));
    if (isFull) throw fsError('ENOSPC', 'write');
  }
}

function place(content: Content, at: number, bytes: Uint8Array): void {
  if (bytes.length === 0) return;
  if (at + bytes.length > content.bytes.length) {
    const grown = new Uint8Array(at + bytes.length);
    grown.set(content.bytes);
    content.bytes = grown;
  }
  // A copy, as the durable content may be the same array.
  else content.bytes = content.bytes.slice();
  content.bytes.set(bytes, at);
}
