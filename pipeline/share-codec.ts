import type { Codec } from '../core/block/codec.ts';
import { RejectedError } from '../core/errors.ts';
import type { Matcher, MatchOp } from '../core/labels/matcher.ts';
import type { PlannedBlock } from '../core/query/query-plan.ts';
import type { TimeSpan } from '../core/query/time-span.ts';
import type { Tombstone } from '../core/retention/tombstone.ts';
import { ByteReader } from '../core/wire/byte-reader.ts';
import { ByteWriter } from '../core/wire/byte-writer.ts';
import { type BlockRow, checkBlockRow } from '../storage/block-catalog.ts';
import { type MessageKind, packMessage, unpackMessage } from './packed-message.ts';
import type { QueryShare, ShareDetail } from './query-workers.ts';

// A share as bytes: what to look for, then all entries of batch tables once, then what refers to them by number. It names
// no tenant and no key: who reads it has a tenant of its own, and makes keys of checked ids.

const KIND: MessageKind = { magic: 0x48534243, name: 'query share' }; // "CBSH"

const DETAILS: readonly ShareDetail[] = ['names', 'symbols'];
const OPERATORS: readonly MatchOp[] = ['=', '!=', '=~', '!~'];

/** Longest texts, in bytes: ids and names of labels; values, selectors and services. */
const NAME_BYTES_MAX = 4096;
const TEXT_BYTES_MAX = 1 << 20;

/** Times beyond are those: no window is there. */
const TIME_MAX = 2 ** 51;

/** @throws RejectedError('too-large') when no function would take it */
export function encodeShare(share: QueryShare, codec: Codec): Uint8Array {
  return packMessage(codec, KIND, new ShareWriter().write(share));
}

/**
 * Reads a share that nobody vouches for.
 * @param tenant whose blocks are read
 * @throws MalformedInputError and nothing else, however the bytes are broken
 */
export function decodeShare(bytes: Uint8Array, codec: Codec, tenant: string): QueryShare {
  return new ShareReader(unpackMessage(codec, KIND, bytes), tenant).read();
}

class ShareWriter {
  readonly #out = new ByteWriter(16 * 1024);
  readonly #entries = new Map<string, number>();

  write({ detail, profileType, scale, matchers, blocks, shared, tombstones }: QueryShare): Uint8Array {
    const out = this.#out;
    out.u8(DETAILS.indexOf(detail));
    out.text(profileType);
    out.varint(scale);
    this.#list(matchers, ({ name, op, value }) => {
      out.text(name);
      out.u8(OPERATORS.indexOf(op));
      out.text(value);
    });
    this.#list(tombstones, ({ id, selector, createdAt, ...span }) => {
      out.text(id);
      out.text(selector);
      out.varint(createdAt);
      this.#span(span);
    });
    const all = [shared, ...blocks.flatMap(({ row, except }) => [row.batchIds, except])];
    for (const entry of all.flatMap((entries) => [...entries]))
      if (!this.#entries.has(entry)) this.#entries.set(entry, this.#entries.size);
    this.#list([...this.#entries.keys()], (entry) => out.text(entry));
    this.#references(shared);
    this.#list(blocks, (block) => this.#block(block));
    return out.finish();
  }

  #block({ row, services, spans, except }: QueryShare['blocks'][number]): void {
    const out = this.#out;
    out.text(row.blockId);
    for (const number of [row.level, row.resolutionSeconds, row.minTime, row.maxTime - row.minTime])
      out.varint(number);
    for (const number of [row.size, row.directoryOffset, row.directoryLength, row.createdAt])
      out.varint(number);
    this.#list([...services], (service) => out.text(service));
    this.#references(row.batchIds);
    this.#list(spans, (span) => this.#span(span));
    this.#references(except);
  }

  #list<T>(items: readonly T[], write: (item: T) => void): void {
    this.#out.varint(items.length);
    for (const item of items) write(item);
  }

  #references(entries: Iterable<string>): void {
    this.#list([...entries], (entry) => this.#out.varint(this.#entries.get(entry)!));
  }

  #span({ start, end }: TimeSpan): void {
    for (const time of [start, end]) this.#out.zigzag(Math.max(-TIME_MAX, Math.min(TIME_MAX, time)));
  }
}

class ShareReader {
  readonly #input: ByteReader;
  readonly #tenant: string;
  #entries: readonly string[] = [];

  constructor(raw: Uint8Array, tenant: string) {
    this.#input = new ByteReader(raw, KIND.name);
    this.#tenant = tenant;
  }

  read(): QueryShare {
    const input = this.#input;
    const detail = DETAILS[this.#input.index(DETAILS.length)]!;
    const profileType = input.text(NAME_BYTES_MAX);
    const scale = input.varint();
    if (scale === 0) input.fail('has a scale of 0');
    const matchers = this.#list(3, () => this.#matcher());
    const tombstones = this.#list(5, () => this.#tombstone());
    this.#entries = this.#list(1, () => input.text(NAME_BYTES_MAX));
    const shared = new Set(this.#references());
    const blocks = this.#list(13, () => this.#block());
    input.expectEnd();
    return { detail, profileType, scale, matchers, blocks, shared, tombstones };
  }

  #matcher(): Matcher {
    const name = this.#input.text(NAME_BYTES_MAX);
    const op = OPERATORS[this.#input.index(OPERATORS.length)]!;
    return { name, op, value: this.#input.text(TEXT_BYTES_MAX) };
  }

  #tombstone(): Tombstone {
    const id = this.#input.text(NAME_BYTES_MAX);
    const selector = this.#input.text(TEXT_BYTES_MAX);
    const createdAt = this.#input.varint();
    return { id, selector, createdAt, ...this.#span(), reason: '' };
  }

  #block(): PlannedBlock<BlockRow> {
    const input = this.#input;
    const blockId = input.text(NAME_BYTES_MAX);
    const [level, resolutionSeconds, minTime, length] = this.#numbers(4);
    const [size, directoryOffset, directoryLength, createdAt] = this.#numbers(4);
    const maxTime = minTime! + length!;
    const services = this.#list(1, () => input.text(TEXT_BYTES_MAX));
    const datasets = services.map((service) => ({ service, profileTypes: [], minTime: minTime!, maxTime }));
    const row: BlockRow = {
      ...{ blockId, tenant: this.#tenant, level: level!, resolutionSeconds: resolutionSeconds! },
      ...{ minTime: minTime!, maxTime, size: size!, createdAt: createdAt!, datasets },
      ...{ directoryOffset: directoryOffset!, directoryLength: directoryLength! },
      batchIds: this.#references(),
    };
    this.#check(row);
    const spans = this.#list(2, () => this.#span());
    return { row, services: new Set(services), spans, except: new Set(this.#references()) };
  }

  #check(row: BlockRow): void {
    try {
      checkBlockRow(row);
    } catch (error) {
      if (error instanceof RejectedError) this.#input.fail(error.message);
      throw error;
    }
  }

  #numbers(count: number): number[] {
    return Array.from({ length: count }, () => this.#input.varint());
  }

  /** @param minBytes of each item, so that a count promises no more than there is */
  #list<T>(minBytes: number, read: () => T): T[] {
    const items: T[] = [];
    for (let left = this.#input.count(minBytes); left > 0; left--) items.push(read());
    return items;
  }

  #references(): string[] {
    return this.#list(1, () => this.#entries[this.#input.index(this.#entries.length)]!);
  }

  #span(): TimeSpan {
    const span = { start: this.#input.zigzag(), end: this.#input.zigzag() };
    if (!(span.start < span.end)) this.#input.fail(`has an empty span of time at ${span.start}`);
    return span;
  }
}
