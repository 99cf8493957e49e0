import { MalformedInputError } from '../errors.ts';
import { ProtoReader } from '../wire/proto-reader.ts';
import { PPROF, type Ranges } from './pprof-sections.ts';

/** Tag of field 1, varint: the id of a mapping, a location and a function alike. */
const ID = 1 << 3;

/**
 * From the ids that a profile uses to positions 0..n−1. Ids are arbitrary non-zero 64-bit numbers; nearly every writer
 * counts 1, 2, 3, …, so ids up to the count are looked up in a column, and only others are hashed (exactly, by halves).
 */
export class IdTable {
  /** dense[id] is position + 1, or 0. */
  readonly dense: Uint32Array;
  #sparseLow = new Uint32Array(0);
  #sparseHigh = new Uint32Array(0);
  /** position + 1, or 0 where the slot is free. */
  #sparse = new Uint32Array(0);

  constructor(count: number) {
    this.dense = new Uint32Array(count + 1);
  }

  /** Answers false when the id is already there. */
  add(low: number, high: number, position: number): boolean {
    if (high === 0 && low < this.dense.length) {
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
    if (high === 0 && low < this.dense.length) return this.dense[low]! - 1;
    if (this.#sparse.length === 0) return -1;
    return this.#sparse[this.#slotOf(low, high)]! - 1;
  }

  #allocateSparse(): void {
    let size = 16;
    while (size < this.dense.length * 2) size *= 2;
    this.#sparse = new Uint32Array(size);
    this.#sparseLow = new Uint32Array(size);
    this.#sparseHigh = new Uint32Array(size);
  }

  #slotOf(low: number, high: number): number {
    const mask = this.#sparse.length - 1;
    let hash = Math.imul(low ^ Math.imul(high, 0x9e3779b1), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35);
    let slot = (hash ^ (hash >>> 13)) & mask;
    while (this.#sparse[slot] !== 0 && (this.#sparseLow[slot] !== low || this.#sparseHigh[slot] !== high)) {
      slot = (slot + 1) & mask;
    }
    return slot;
  }
}

/**
 * Indexes the ids of all messages of one section.
 * @throws MalformedInputError when an id is 0, missing or there twice
 */
export function indexIds(raw: Uint8Array, ranges: Ranges, what: string): IdTable {
  const table = new IdTable(ranges.count);
  const reader = new ProtoReader(raw, PPROF);
  for (let i = 0; i < ranges.count; i++) {
    const start = ranges.starts[i]!;
    reader.at = start;
    readId(reader, ranges.ends[i]!);
    if (reader.low === 0 && reader.high === 0)
      throw new MalformedInputError(PPROF, `${what} has id 0`, start);
    if (!table.add(reader.low, reader.high, i)) {
      throw new MalformedInputError(
        PPROF,
        `${what} id ${BigInt.asUintN(64, reader.signed())} is there twice`,
        start,
      );
    }
  }
  return table;
}

/** Leaves the id in low and high. Writers put it first, so this rarely looks further than two bytes. */
function readId(reader: ProtoReader, end: number): void {
  reader.low = 0;
  reader.high = 0;
  while (reader.at < end) {
    const tag = reader.tag();
    if (tag === ID) {
      reader.varint();
      return;
    }
    reader.skip(tag);
    reader.low = 0;
    reader.high = 0;
  }
}
