import { commonScale, exactTotal, type ProfileRows, sampleCount } from '../profile/profile-rows.ts';
import { ByteWriter } from '../wire/byte-writer.ts';
import { BLOCK_MAGIC, DOWNSAMPLED_FORMAT_VERSION, formatVersionOf, SectionEncoding } from './block-format.ts';
import type { Codec } from './codec.ts';
import {
  type BlockMeta,
  type DatasetEntry,
  type Directory,
  encodeDirectory,
  type SectionRef,
  type TypeEntry,
  timeRangeOf,
} from './directory.ts';
import { encodeSamples, encodeTotals, rowOrder } from './rows-sections.ts';
import { encodeSeries, encodeTexts } from './series-section.ts';
import { encodeSymbols } from './symbols-section.ts';
import type { BlockDataset } from './window-spread.ts';

/** A block as written: its bytes, and the directory that they end with. */
export interface WrittenBlock {
  readonly bytes: Uint8Array;
  readonly directory: Directory;
  /** Where the directory lies, so that an index row lets a reader fetch it at once. */
  readonly directoryOffset: number;
  readonly directoryLength: number;
}

/**
 * Writes a block dataset by dataset, so that a merge holds one dataset at a time besides the output. The same datasets
 * in the same order give the same bytes.
 */
export class BlockWriter {
  readonly #codec: Codec;
  readonly #out = new ByteWriter(64 * 1024);
  readonly #datasets: DatasetEntry[] = [];

  readonly #version: number;

  /** @param resolutionSeconds time step of the rows that will be added; 0 = raw */
  constructor(codec: Codec, resolutionSeconds = 0) {
    this.#codec = codec;
    this.#version = formatVersionOf(resolutionSeconds);
    this.#out.u32(BLOCK_MAGIC);
    this.#out.u16(this.#version);
    this.#out.u16(0);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#out.length;
  }

  /** Adds a service's slice. Datasets come sorted by service; one without rows is left out. */
  addDataset(dataset: BlockDataset): void {
    const before = this.#datasets.at(-1)?.service;
    if (before !== undefined && dataset.service <= before)
      throw new Error(`dataset ${dataset.service} comes after ${before}`);
    const types = [...dataset.types]
      .filter(([, rows]) => rows.count > 0)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    if (types.length === 0) return;
    const isDownsampled = this.#version === DOWNSAMPLED_FORMAT_VERSION;
    if (types.some(([, rows]) => (rows.spread !== undefined) !== isDownsampled))
      throw new Error(`dataset ${dataset.service} has rows of another resolution than the block`);
    // What a timeline reads stands first, then what a flame graph reads besides: each is one range.
    const orders = types.map(([, rows]) => rowOrder(rows));
    const totals = types.map(([, rows], i) => this.#section(encodeTotals(rows, orders[i]!)));
    const seriesSection = this.#section(encodeSeries(dataset.labelSets));
    const symbolsSection = this.#section(encodeSymbols(dataset.symbols));
    const entries = types.map(([profileType, rows], i): TypeEntry => {
      const samplesSection = this.#section(encodeSamples(rows, orders[i]!));
      const total = exactTotal(rows);
      return {
        profileType,
        rows: rows.count,
        samples: sampleCount(rows),
        total,
        scale: commonScale(rows),
        totalsSection: totals[i]!,
        samplesSection,
      };
    });
    const times = timeRangeOf(types.map(([, rows]) => timeRangeOfRows(rows)));
    this.#datasets.push({
      service: dataset.service,
      ...times,
      seriesSection,
      symbolsSection,
      types: entries,
    });
  }

  /**
   * Ends the block; nothing can be added after that.
   * @param batchIds the batch table that all rows refer to
   */
  finish(meta: BlockMeta, batchIds: readonly string[]): WrittenBlock {
    const batchesSection = this.#section(encodeTexts(batchIds));
    const directory: Directory = {
      ...meta,
      ...timeRangeOf(this.#datasets),
      batchesSection,
      batchCount: batchIds.length,
      datasets: this.#datasets,
    };
    const out = this.#out;
    const raw = encodeDirectory(directory);
    const stored = this.#codec.compress(raw);
    const directoryOffset = out.length;
    out.bytes(stored);
    const trailer = out.length;
    out.u64(directoryOffset);
    out.u32(stored.length);
    out.u32(raw.length);
    out.u32(this.#codec.crc32(stored));
    out.u32(this.#codec.crc32(out.view().subarray(trailer, trailer + 20)));
    out.u16(this.#version);
    out.u16(0);
    out.u32(BLOCK_MAGIC);
    // A view: a copy of a large block would need as much memory again.
    return { bytes: out.view(), directory, directoryOffset, directoryLength: stored.length };
  }

  /** Appends one section, compressed where that makes it shorter. */
  #section(raw: Uint8Array): SectionRef {
    const packed = raw.length < COMPRESSED_BYTES_MIN ? raw : this.#codec.compress(raw);
    const encoding = packed.length < raw.length ? SectionEncoding.zstd : SectionEncoding.stored;
    const stored = encoding === SectionEncoding.zstd ? packed : raw;
    const offset = this.#out.length;
    this.#out.bytes(stored);
    return {
      offset,
      storedLength: stored.length,
      rawLength: raw.length,
      crc: this.#codec.crc32(stored),
      encoding,
    };
  }
}

/**
 * Shorter sections are stored as they are: a compressor costs more to set up than they take to write, and saves little on
 * them. Small pushes and small services are made of such.
 */
const COMPRESSED_BYTES_MIN = 256;

function timeRangeOfRows(rows: ProfileRows): { minTime: number; maxTime: number } {
  let minTime = Number.POSITIVE_INFINITY;
  let maxTime = 0;
  for (let row = 0; row < rows.count; row++) {
    minTime = Math.min(minTime, rows.start[row]!);
    // An instant profile still lies in a range that is not empty.
    maxTime = Math.max(maxTime, rows.start[row]! + Math.max(1, rows.duration[row]!));
  }
  return { minTime, maxTime };
}
