import { MalformedInputError } from '../errors.ts';
import { ProtoReader } from '../wire/proto-reader.ts';
import { shortVarint } from '../wire/short-varint.ts';
import { emptied } from './emptied.ts';
import { upTo } from './identity.ts';
import { PPROF, type Ranges } from './pprof-sections.ts';

/** Tag of field 1, varint: the id of a mapping, a location and a function alike. */
const ID = 1 << 3;

const NONE = new Int32Array(0);

/**
 * From the ids that a profile uses to positions 0..n−1. Ids are arbitrary non-zero 64-bit numbers; nearly every writer
 * counts 1, 2, 3, …, for which there is nothing to fill in. Where that is not so, ids up to the count are looked up in a
 * column of their own, and only others are hashed (exactly, by halves). One table serves profile after profile.
 */
export class IdTable {
  /** dense[id] is position + 1, or 0; for id < denseCount. Shared by all tables while ids count up. */
  dense: Int32Array = NONE;
  /** What `dense` is when ids do not count up. */
  #own: Int32Array = NONE;
  denseCount = 0;
  #sparseLow: Int32Array = NONE;
  #sparseHigh: Int32Array = NONE;
  /** position + 1, or 0 where the slot is free. */
  #sparse: Int32Array = NONE;

  get byteLength(): number {
    return this.#own.byteLength + this.#sparse.byteLength * 3;
  }

  /**
   * Indexes the ids of all messages of one section, forgetting what was there.
   * @throws MalformedInputError when an id is 0, missing or there twice
   */
  index(raw: Uint8Array, ranges: Ranges, what: string): void {
    this.denseCount = ranges.count + 1;
    this.#sparse = this.#sparseLow = this.#sparseHigh = NONE;
    if (countsUp(raw, ranges)) this.dense = upTo(this.denseCount);
    else this.#indexOwn(raw, ranges, what);
  }

  #indexOwn(raw: Uint8Array, { starts, ends, count }: Ranges, what: string): void {
    this.dense = this.#own = emptied(this.#own, this.denseCount);
    const { dense, denseCount } = this;
    let reader: ProtoReader | undefined;
    for (let i = 0; i < count; i++) {
      const start = starts[i]!;
      // Writers put the id first, and most ids have one or two bytes.
      let id = 0;
      if (raw[start] === ID && ends[i]! - start > 2) {
        id = raw[start + 1]!;
        if (id > 127) {
          const next = raw[start + 2]!;
          id = next > 127 ? 0 : (id & 127) | (next << 7);
        }
      }
      if (id !== 0 && id < denseCount && dense[id] === 0) dense[id] = i + 1;
      else this.#addSlowly((reader ??= new ProtoReader(raw, PPROF)), start, ends[i]!, i, what);
    }
  }

  #addSlowly(reader: ProtoReader, start: number, end: number, position: number, what: string): void {
    const isThere = readId(reader, start, end);
    const { low, high } = reader;
    if (!isThere || (low === 0 && high === 0))
      throw new MalformedInputError(PPROF, `${what} has id 0`, start);
    if (!this.#add(low, high, position)) {
      const id = BigInt.asUintN(64, reader.signed());
      throw new MalformedInputError(PPROF, `${what} id ${id} is there twice`, start);
    }
  }

  /** Answers false when the id is already there. */
  #add(low: number, high: number, position: number): boolean {
    if (high === 0 && low < this.denseCount) {
      if (this.dense[low] !== 0) return false;
      this.dense[low] = position + 1;
      return true;
    }
    if (this.#sparse.length === 0) this.#allocateSparse();
    const slot = this.#slotOf(low, high);
    if (this.#sparse[slot] !== 0) return false;
    this.#sparseLow[slot] = low;
    this.#sparseHigh[slot] = high;
    this.#sparse[slot] = position + 1;
    return true;
  }

  /** The position of an id, or -1. */
  find(low: number, high: number): number {
    if (high === 0 && low < this.denseCount) return this.dense[low]! - 1;
    if (this.#sparse.length === 0) return -1;
    return this.#sparse[this.#slotOf(low, high)]! - 1;
  }

  #allocateSparse(): void {
    let size = 16;
    while (size < this.denseCount * 2) size *= 2;
    this.#sparse = new Int32Array(size);
    this.#sparseLow = new Int32Array(size);
    this.#sparseHigh = new Int32Array(size);
  }

  #slotOf(low: number, high: number): number {
    const mask = this.#sparse.length - 1;
    let hash = Math.imul(low ^ Math.imul(high, 0x9e3779b1), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35);
    let slot = (hash ^ (hash >>> 13)) & mask;
    while (
      this.#sparse[slot] !== 0 &&
      (this.#sparseLow[slot] !== (low | 0) || this.#sparseHigh[slot] !== (high | 0))
    ) {
      slot = (slot + 1) & mask;
    }
    return slot;
  }
}

/** Whether message i has the id i + 1, written first and in as few bytes as it takes. */
function countsUp(raw: Uint8Array, { starts, ends, count }: Ranges): boolean {
  for (let i = 0; i < count; i++) {
    const start = starts[i]!;
    const id = i + 1;
    const isThere = id < 128 ? raw[start + 1] === id : shortVarint(raw, start + 1) >>> 2 === id;
    if (!isThere || raw[start] !== ID || ends[i]! - start < 4) return false;
  }
  return true;
}

/** Reads the id, wherever it is in its message; answers false when it is not there. */
function readId(reader: ProtoReader, start: number, end: number): boolean {
  reader.at = start;
  while (reader.at < end) {
    const tag = reader.field();
    if (tag === ID) return true;
    reader.skipRest(tag);
  }
  return false;
}
