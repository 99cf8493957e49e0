import { type BatchRun, batchRunOf } from '../block/batch-runs.ts';
import type { Codec } from '../block/codec.ts';
import { ByteReader } from '../wire/byte-reader.ts';
import { ByteWriter } from '../wire/byte-writer.ts';
import { type PackedKind, packBytes, unpackBytes } from '../wire/packed-bytes.ts';

// When a day is sealed its blocks lose the ids of their batches, which are most of what an index row weighs. They are
// kept here, beside the blocks, for as long as one of these batches may come again. A batch of many services may lie in
// several blocks, so each is named by service. Agents number the batches of a boot one after the other, so that boot and
// service are a range or two: a day of 1,000 nodes with 20 services each is 30 KB.
//
// Packed as core/wire/packed-bytes.ts says. Raw, all numbers LEB128:
//   services   count, then each as length and UTF-8; ascending by code unit, each once
//   boots      count, then each as length and UTF-8 of cluster/node/boot, ascending, each once; and its services:
//              count, at least 1; each as its distance in the list from the one before (the first: from -1) less 1, and
//              its ranges: count, at least 1; each as its distance from the end of the one before (the first: from -1),
//              and its length less 1. Ranges do not touch. A batch that no number ends is named whole, as [-1, 0).

/** A job takes in 320 MiB of batches, each with a header of its own: its object unfolds to less. */
const KIND: PackedKind = { magic: 0x42534243, name: 'sealed batches', rawBytesMax: 256 * 1024 * 1024 }; // "CBSB"

/** Sequence numbers [first, end) one behind the other: first, end, first, end, … Ascending, and none touch. */
type Ranges = readonly number[];

/** Ranges by cluster/node/boot, and by service. */
type Boots = ReadonlyMap<string, ReadonlyMap<string, Ranges>>;

/** The batches whose rows were sealed, those among them that were left out as repeated or deleted. */
export class SealedBatches {
  readonly #boots: Boots;

  constructor(boots: Boots) {
    this.#boots = boots;
  }

  /** Services that rows of the batch were sealed of; undefined when there are none. */
  servicesOf(batchId: string): ReadonlySet<string> | undefined {
    const run = batchRunOf(batchId);
    const services = run && this.#boots.get(run.boot);
    if (services === undefined) return undefined;
    const found = new Set<string>();
    for (const [service, ranges] of services) if (holds(ranges, run!.first)) found.add(service);
    return found.size === 0 ? undefined : found;
  }

  /** The same batches and services give the same bytes. */
  encode(codec: Codec): Uint8Array {
    return packBytes(codec, KIND, this.#encodeRaw());
  }

  #encodeRaw(): Uint8Array {
    const names = [...new Set([...this.#boots.values()].flatMap((services) => [...services.keys()]))].sort();
    const placeOf = new Map(names.map((name, place) => [name, place]));
    const out = new ByteWriter();
    out.varint(names.length);
    for (const name of names) out.text(name);
    out.varint(this.#boots.size);
    for (const [boot, services] of sorted(this.#boots)) {
      out.text(boot);
      out.varint(services.size);
      let before = -1;
      for (const [service, ranges] of sorted(services)) {
        const place = placeOf.get(service)!;
        out.varint(place - before - 1);
        writeRanges(out, ranges);
        before = place;
      }
    }
    return out.finish();
  }

  /** @throws MalformedInputError */
  static decode(bytes: Uint8Array, codec: Codec): SealedBatches {
    const input = new ByteReader(unpackBytes(codec, KIND, bytes), KIND.name);
    const names: string[] = [];
    for (let left = input.count(); left > 0; left--) names.push(nextName(input, names.at(-1)));
    const boots = new Map<string, ReadonlyMap<string, Ranges>>();
    let boot: string | undefined;
    for (let left = input.count(6); left > 0; left--) {
      boot = nextName(input, boot);
      boots.set(boot, readServices(input, names));
    }
    input.expectEnd();
    return new SealedBatches(boots);
  }
}

/** Gathers what a merge reads. */
export class SealedBatchesBuilder {
  readonly #boots = new Map<string, Map<string, number[]>>();
  readonly #runs = new Map<readonly string[], (BatchRun | undefined)[]>();

  /**
   * Adds the batches of one service in one block.
   * @param table the block's batch table; the same array for all of its services
   * @param used 1 for each entry of it that rows refer to
   */
  add(service: string, table: readonly string[], used: Uint8Array): void {
    let runs = this.#runs.get(table);
    if (runs === undefined) this.#runs.set(table, (runs = table.map(batchRunOf)));
    for (const [place, run] of runs.entries()) {
      if (used[place] !== 1 || run === undefined) continue;
      const ranges = this.#rangesOf(run.boot, service);
      // Tables are mostly in order.
      if (ranges.length > 0 && ranges.at(-1) === run.first) ranges[ranges.length - 1] = run.end;
      else ranges.push(run.first, run.end);
    }
  }

  #rangesOf(boot: string, service: string): number[] {
    let services = this.#boots.get(boot);
    if (services === undefined) this.#boots.set(boot, (services = new Map()));
    let ranges = services.get(service);
    if (ranges === undefined) services.set(service, (ranges = []));
    return ranges;
  }

  finish(): SealedBatches {
    for (const services of this.#boots.values())
      for (const [service, ranges] of services) services.set(service, normalized(ranges));
    return new SealedBatches(this.#boots);
  }
}

function normalized(ranges: readonly number[]): number[] {
  const places = Array.from({ length: ranges.length / 2 }, (_, i) => 2 * i);
  places.sort((a, b) => ranges[a]! - ranges[b]!);
  const joined: number[] = [];
  for (const place of places) {
    const [first, end] = [ranges[place]!, ranges[place + 1]!];
    if (joined.length > 0 && first <= joined.at(-1)!)
      joined[joined.length - 1] = Math.max(joined.at(-1)!, end);
    else joined.push(first, end);
  }
  return joined;
}

function holds(ranges: Ranges, sequence: number): boolean {
  let low = 0;
  let high = ranges.length / 2;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranges[2 * middle + 1]! <= sequence) low = middle + 1;
    else high = middle;
  }
  return 2 * low < ranges.length && ranges[2 * low]! <= sequence;
}

function sorted<T>(byName: ReadonlyMap<string, T>): [string, T][] {
  return [...byName].sort(([a], [b]) => (a < b ? -1 : 1));
}

function writeRanges(out: ByteWriter, ranges: Ranges): void {
  out.varint(ranges.length / 2);
  let before = -1;
  for (let i = 0; i < ranges.length; i += 2) {
    out.varint(ranges[i]! - before);
    out.varint(ranges[i + 1]! - ranges[i]! - 1);
    before = ranges[i + 1]!;
  }
}

function nextName(input: ByteReader, last: string | undefined): string {
  const name = input.text();
  if (last !== undefined && name <= last) input.fail('names are not in order');
  return name;
}

function readServices(input: ByteReader, names: readonly string[]): Map<string, Ranges> {
  const services = new Map<string, Ranges>();
  let place = -1;
  for (let left = atLeastOne(input, input.count(4)); left > 0; left--) {
    place += 1 + input.varint();
    if (place >= names.length) input.fail(`there is no service ${place}`);
    services.set(names[place]!, readRanges(input));
  }
  return services;
}

function readRanges(input: ByteReader): Ranges {
  const ranges: number[] = [];
  let before = -1;
  for (let left = atLeastOne(input, input.count(2)); left > 0; left--) {
    const gap = input.varint();
    if (gap === 0 && ranges.length > 0) input.fail('two ranges touch');
    const first = before + gap;
    before = first + 1 + input.varint();
    if (!Number.isSafeInteger(before)) input.fail('a range passes 2^53');
    ranges.push(first, before);
  }
  return ranges;
}

function atLeastOne(input: ByteReader, count: number): number {
  if (count === 0) input.fail('a list is empty that must not be');
  return count;
}
