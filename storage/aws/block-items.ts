import { crc32 } from 'node:zlib';
import {
  asideEffectOf,
  type BlockRow,
  type BlockSearch,
  type BlockSwap,
  type DatasetRow,
} from '../block-catalog.ts';
import { zstdCodec } from '../zstd-codec.ts';
import { binary, type Fields, type Item, number, optionalNumber, text } from './attribute-values.ts';
import { digestOf } from './digests.ts';

/** Most bytes of content that stay in a row itself: an item holds 400 KB in all. */
export const INLINE_CONTENT_BYTES = 256 * 1024;

/** Bytes of content in one part of a row. */
const PART_BYTES = 380 * 1024;

/** Services that an entry names by digest, 4 bytes each; with more it names none, and every search looks at the row. */
const MAX_ENTRY_SERVICES = 200;

/** What of a row is kept together, compressed: names repeat, so a row of 200 services shrinks about tenfold. */
interface PackedRow {
  bytes: Uint8Array;
  rawLength: number;
  /** Of the bytes. */
  digest: string;
  /** Of what they unfold to: the same whatever compressed it. */
  rawDigest: string;
}

/** Equal rows give equal bytes: the fields in fixed order, whatever else the caller's object carries. */
export function packRow(row: BlockRow): PackedRow {
  const datasets = row.datasets.map(({ service, profileTypes, minTime, maxTime }) => [
    service,
    profileTypes,
    minTime,
    maxTime,
  ]);
  const raw = new TextEncoder().encode(JSON.stringify([datasets, row.batchIds]));
  const bytes = zstdCodec.compress(raw);
  const digest = digestOf(bytes).slice(0, 16);
  return { bytes, rawLength: raw.length, digest, rawDigest: digestOf(raw) };
}

/** The fields of a live row, and the parts that are to be written before it. `nonce` names the call that writes it. */
export function rowFields(
  row: BlockRow,
  nonce: string,
  inlineBytes: number = INLINE_CONTENT_BYTES,
): { fields: Fields; digest: string; parts: Uint8Array[] } {
  const { bytes, rawLength, digest } = packRow(row);
  const inline = bytes.length <= inlineBytes;
  const count = inline ? 0 : Math.ceil(bytes.length / PART_BYTES);
  const fields: Fields = {
    ...headFields(row),
    state: 'live',
    nonce,
    entry: entryOf(row).digest,
    content: inline ? bytes : undefined,
    contentLength: rawLength,
    parts: inline ? undefined : count,
    digest: inline ? undefined : digest,
  };
  const parts = Array.from({ length: count }, (_, i) => bytes.subarray(i * PART_BYTES, (i + 1) * PART_BYTES));
  return { fields, digest, parts };
}

function headFields(row: BlockRow): Fields {
  const { tenant, level, resolutionSeconds, minTime, maxTime, size } = row;
  const { directoryOffset, directoryLength, createdAt } = row;
  return {
    tenant,
    level,
    resolutionSeconds,
    minTime,
    maxTime,
    size,
    directoryOffset,
    directoryLength,
    createdAt,
  };
}

/** A block in the catalog is live or aside; `marked` is one that left it. */
export type BlockState = 'live' | 'aside' | 'marked';

export function stateOf(item: Item): BlockState {
  return text(item, 'state') as BlockState;
}

/** Whether its row is answered: of a live block, or with `withAside` of one that lies aside. */
export function isSeen(item: Item | undefined, withAside = false): item is Item {
  if (item === undefined) return false;
  return stateOf(item) === 'live' || (withAside && stateOf(item) === 'aside');
}

/** The block that an item's key names. */
export function blockIdOf(item: Item): string {
  return text(item, 'pk').slice('block#'.length);
}

/** How many parts the content of the row is in besides the item, 0 when it is in the item itself. */
export function partsOf(item: Item): { count: number; digest: string } {
  return { count: optionalNumber(item, 'parts') ?? 0, digest: text(item, 'digest') };
}

/** The row of an item. `parts` are those that `partsOf` asks for, in order. */
export function toRow(item: Item, parts: Uint8Array[] = []): BlockRow {
  const packed = parts.length === 0 ? binary(item, 'content') : Buffer.concat(parts);
  const raw = zstdCodec.decompress(packed, number(item, 'contentLength'));
  const [datasets, batchIds] = JSON.parse(new TextDecoder().decode(raw)) as [
    [string, string[], number, number][],
    string[],
  ];
  return {
    blockId: blockIdOf(item),
    tenant: text(item, 'tenant'),
    level: number(item, 'level'),
    resolutionSeconds: number(item, 'resolutionSeconds'),
    minTime: number(item, 'minTime'),
    maxTime: number(item, 'maxTime'),
    size: number(item, 'size'),
    directoryOffset: number(item, 'directoryOffset'),
    directoryLength: number(item, 'directoryLength'),
    createdAt: number(item, 'createdAt'),
    datasets: datasets.map(([service, profileTypes, minTime, maxTime]): DatasetRow => {
      return { service, profileTypes, minTime, maxTime };
    }),
    batchIds,
    ...(stateOf(item) === 'aside' && { aside: JSON.parse(text(item, 'aside')) }),
  };
}

/** What a search needs to know of a block before it reads the row, and a digest of that. */
export function entryOf(row: BlockRow): { fields: Fields; digest: string } {
  const services = new Set(row.datasets.map((dataset) => serviceDigest(dataset.service)));
  const named = services.size <= MAX_ENTRY_SERVICES && services.size > 0;
  const digests = named ? new Uint8Array(Uint32Array.from([...services].sort()).buffer) : undefined;
  const summary = JSON.stringify([row.maxTime, row.level, [...(digests ?? [])]]);
  const fields = { maxTime: row.maxTime, level: row.level, services: digests };
  return { fields, digest: crc32(summary).toString(16) };
}

/** Whether the row of this entry may match; the row itself decides. */
export function mayMatch(entry: Item, { from, service }: Omit<BlockSearch, 'tenant'>): boolean {
  if (number(entry, 'maxTime') <= from) return false;
  const digests = binary(entry, 'services');
  if (service === undefined || digests.length === 0) return true;
  const wanted = serviceDigest(service);
  const view = new DataView(digests.buffer, digests.byteOffset, digests.byteLength);
  for (let at = 0; at + 4 <= digests.length; at += 4) if (view.getUint32(at, true) === wanted) return true;
  return false;
}

/** Whether the block overlaps [from, until), and begins there or has a dataset of the service, if that is asked for. */
export function matches(row: BlockRow, { tenant, from, until, service, starting }: BlockSearch): boolean {
  if (starting && row.minTime < from) return false;
  const overlaps = (span: { minTime: number; maxTime: number }) =>
    span.minTime < until && span.maxTime > from;
  if (row.tenant !== tenant || !overlaps(row)) return false;
  if (service === undefined) return true;
  return row.datasets.some((dataset) => dataset.service === service && overlaps(dataset));
}

/** By (minTime, blockId). */
export function byTime(a: BlockRow, b: BlockRow): number {
  return a.minTime - b.minTime || (a.blockId < b.blockId ? -1 : a.blockId > b.blockId ? 1 : 0);
}

/** Equal for swaps that do the same, whatever the order of their blocks. */
export function effectOf({ remove, add, ...asides }: BlockSwap): string {
  const rows = add.map((row) => JSON.stringify([row.blockId, headFields(row), packRow(row).rawDigest]));
  return digestOf(JSON.stringify([[...remove].sort(), rows.sort(), ...asideEffectOf(asides)]));
}

function serviceDigest(service: string): number {
  return crc32(service);
}
