import { type BatchOrigin, readBatchOrigin, writeBatchOrigin } from '../batch/batch-origin.ts';
import { ByteReader } from '../wire/byte-reader.ts';
import { ByteWriter } from '../wire/byte-writer.ts';
import { DATASETS_MAX } from './block-format.ts';

/** Where one section lies in the block and how to check it. */
export interface SectionRef {
  readonly offset: number;
  readonly storedLength: number;
  readonly rawLength: number;
  /** CRC-32 of the stored bytes. */
  readonly crc: number;
  /** A SectionEncoding. */
  readonly encoding: number;
}

/** One profile type of a dataset. */
export interface TypeEntry {
  readonly profileType: string;
  readonly rows: number;
  readonly samples: number;
  /** Exact sum of all values, in the sample unit. Whoever merges checks that totals out equal totals in. */
  readonly total: bigint;
  /** Greatest common divisor of the scales of its rows: every value is a multiple of it. */
  readonly scale: number;
  readonly totalsSection: SectionRef;
  readonly samplesSection: SectionRef;
}

/** One service's slice of a block. */
export interface DatasetEntry {
  readonly service: string;
  /** Windows lie in [minTime, maxTime), ms since epoch. */
  readonly minTime: number;
  readonly maxTime: number;
  readonly seriesSection: SectionRef;
  readonly symbolsSection: SectionRef;
  readonly types: readonly TypeEntry[];
}

/** What a block says about itself besides its datasets. */
export interface BlockMeta {
  readonly blockId: string;
  readonly tenant: string;
  /** How often its samples were merged: 0 as processed, n after n merges. */
  readonly level: number;
  /** Time step of its windows in seconds; 0 = as they came (raw). */
  readonly resolutionSeconds: number;
  /** Set only in a batch: who sent it, and what the sender counted. */
  readonly origin?: BatchOrigin;
}

/** The table of contents at the end of a block. */
export interface Directory extends BlockMeta {
  readonly minTime: number;
  readonly maxTime: number;
  readonly batchesSection: SectionRef;
  /** How many batches its rows refer to. */
  readonly batchCount: number;
  /** Sorted by service. */
  readonly datasets: readonly DatasetEntry[];
}

export function encodeDirectory(directory: Directory): Uint8Array {
  const out = new ByteWriter(4096);
  out.text(directory.blockId);
  out.text(directory.tenant);
  out.varint(directory.level);
  out.varint(directory.resolutionSeconds);
  out.u8(directory.origin ? 1 : 0);
  if (directory.origin) writeBatchOrigin(out, directory.origin);
  writeSectionRef(out, directory.batchesSection);
  out.varint(directory.batchCount);
  out.varint(directory.datasets.length);
  for (const dataset of directory.datasets) writeDataset(out, dataset);
  return out.finish();
}

/**
 * @param bodyEnd sections must lie in [8, bodyEnd)
 * @throws MalformedInputError
 */
export function decodeDirectory(bytes: Uint8Array, bodyEnd: number): Directory {
  const input = new ByteReader(bytes, 'block directory');
  const blockId = input.text(512);
  const tenant = input.text(256);
  const level = input.varint();
  const resolutionSeconds = input.varint();
  const origin = input.u8() === 1 ? readBatchOrigin(input) : undefined;
  const batchesSection = readSectionRef(input, bodyEnd);
  const batchCount = input.index(0xffff_ffff);
  const count = input.count(8);
  if (count > DATASETS_MAX) input.fail(`has ${count} datasets, the limit is ${DATASETS_MAX}`);
  const datasets: DatasetEntry[] = [];
  for (let i = 0; i < count; i++) {
    const dataset = readDataset(input, bodyEnd);
    if (i > 0 && dataset.service <= datasets[i - 1]!.service)
      input.fail('datasets are not sorted by service');
    datasets.push(dataset);
  }
  input.expectEnd();
  const { minTime, maxTime } = timeRangeOf(datasets);
  return {
    blockId,
    tenant,
    level,
    resolutionSeconds,
    origin,
    minTime,
    maxTime,
    batchesSection,
    batchCount,
    datasets,
  };
}

/** The smallest range that holds all of them; [0, 0) when there are none. */
export function timeRangeOf(parts: Iterable<{ minTime: number; maxTime: number }>): {
  minTime: number;
  maxTime: number;
} {
  let minTime = Number.POSITIVE_INFINITY;
  let maxTime = 0;
  for (const part of parts) {
    minTime = Math.min(minTime, part.minTime);
    maxTime = Math.max(maxTime, part.maxTime);
  }
  return maxTime === 0 ? { minTime: 0, maxTime: 0 } : { minTime, maxTime };
}

function writeDataset(out: ByteWriter, dataset: DatasetEntry): void {
  out.text(dataset.service);
  out.varint(dataset.minTime);
  out.varint(dataset.maxTime - dataset.minTime);
  writeSectionRef(out, dataset.seriesSection);
  writeSectionRef(out, dataset.symbolsSection);
  out.varint(dataset.types.length);
  for (const type of dataset.types) {
    out.text(type.profileType);
    out.varint(type.rows);
    out.varint(type.samples);
    out.bigVarint(type.total);
    out.varint(type.scale);
    writeSectionRef(out, type.totalsSection);
    writeSectionRef(out, type.samplesSection);
  }
}

function readDataset(input: ByteReader, bodyEnd: number): DatasetEntry {
  const service = input.text(4096);
  const minTime = input.varint();
  const maxTime = minTime + input.varint();
  if (maxTime > Number.MAX_SAFE_INTEGER) input.fail('a dataset ends beyond all time');
  const seriesSection = readSectionRef(input, bodyEnd);
  const symbolsSection = readSectionRef(input, bodyEnd);
  const count = input.count(8);
  const types: TypeEntry[] = [];
  for (let i = 0; i < count; i++) {
    const type: TypeEntry = {
      profileType: input.text(4096),
      rows: input.varint(),
      samples: input.varint(),
      total: input.bigVarint(),
      scale: input.varint(),
      totalsSection: readSectionRef(input, bodyEnd),
      samplesSection: readSectionRef(input, bodyEnd),
    };
    if (i > 0 && type.profileType <= types[i - 1]!.profileType) input.fail('profile types are not sorted');
    types.push(type);
  }
  return { service, minTime, maxTime, seriesSection, symbolsSection, types };
}

function writeSectionRef(out: ByteWriter, section: SectionRef): void {
  out.varint(section.offset);
  out.varint(section.storedLength);
  out.varint(section.rawLength);
  out.u32(section.crc);
  out.u8(section.encoding);
}

function readSectionRef(input: ByteReader, bodyEnd: number): SectionRef {
  const offset = input.varint();
  const storedLength = input.varint();
  const rawLength = input.varint();
  const crc = input.u32();
  const encoding = input.u8();
  if (offset + storedLength > bodyEnd)
    input.fail(`a section at ${offset} of ${storedLength} bytes ends past ${bodyEnd}`);
  return { offset, storedLength, rawLength, crc, encoding };
}
