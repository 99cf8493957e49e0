import { CorruptBlockError, MalformedInputError } from '../errors.ts';
import type { Labels } from '../labels/labels.ts';
import { commonScale, exactTotal, type ProfileRows, sampleCount } from '../profile/profile-rows.ts';
import type { Symbols } from '../profile/symbol-table.ts';
import { ByteReader } from '../wire/byte-reader.ts';
import {
  BLOCK_MAGIC,
  DOWNSAMPLED_FORMAT_VERSION,
  formatVersionOf,
  HEADER_LENGTH,
  RAW_FORMAT_VERSION,
  SECTION_RAW_BYTES_MAX,
  SectionEncoding,
  TAIL_READ_LENGTH,
  TRAILER_LENGTH,
} from './block-format.ts';
import { coalesceRanges } from './byte-ranges.ts';
import type { Codec } from './codec.ts';
import {
  type DatasetEntry,
  type Directory,
  decodeDirectory,
  type SectionRef,
  type TypeEntry,
} from './directory.ts';
import {
  decodeTotals,
  openSamples,
  type PackedSamples,
  type RowTotals,
  unpackRows,
} from './rows-sections.ts';
import { decodeSeries, decodeTexts } from './series-section.ts';
import { decodeSymbols } from './symbols-section.ts';
import type { BlockDataset, BlockRows } from './window-spread.ts';

/** Reads parts of one stored object. */
export interface RangeSource {
  /** Bytes [start, end), clamped at the end of the object. */
  read(start: number, end: number): Promise<Uint8Array>;
  /** The last `length` bytes, or all when there are fewer, and the size of the object. */
  tail(length: number): Promise<{ bytes: Uint8Array; size: number }>;
}

/** Whole bytes in memory as a source. */
export function bytesSource(bytes: Uint8Array): RangeSource {
  return {
    read: async (start, end) => bytes.subarray(start, end),
    tail: async (length) => ({
      bytes: bytes.subarray(Math.max(0, bytes.length - length)),
      size: bytes.length,
    }),
  };
}

/** Section bytes that were fetched, by offset. */
type Fetched = ReadonlyMap<number, Uint8Array>;

/**
 * Reads a block by byte ranges. Every section's checksum, length and indices are checked before use; damage is a
 * CorruptBlockError that names the section.
 */
export class BlockReader {
  readonly directory: Directory;
  readonly #source: RangeSource;
  readonly #codec: Codec;
  readonly #rawBytesMax: number;
  /** Reads and bytes asked of the source so far: on S3 this is the bill. */
  readonly io: { reads: number; bytes: number };

  private constructor(
    directory: Directory,
    source: RangeSource,
    codec: Codec,
    rawBytesMax: number,
    io: { reads: number; bytes: number },
  ) {
    this.directory = directory;
    this.#source = source;
    this.#codec = codec;
    this.#rawBytesMax = rawBytesMax;
    this.io = io;
  }

  /**
   * Opens a block with one read of its tail (two when the directory is larger than that).
   * @param tailLength how much to read first; an index row knows the exact directoryLength + TRAILER_LENGTH
   * @throws CorruptBlockError
   */
  static async open(
    source: RangeSource,
    codec: Codec,
    options: { blockId?: string; tailLength?: number; rawBytesMax?: number } = {},
  ): Promise<BlockReader> {
    const blockId = options.blockId ?? 'unnamed';
    const io = { reads: 1, bytes: 0 };
    const { bytes, size } = await source.tail(options.tailLength ?? TAIL_READ_LENGTH);
    io.bytes += bytes.length;
    return asCorrupt(blockId, 'trailer', async () => {
      const trailer = readTrailer(bytes, size, codec);
      const inTail = trailer.offset - (size - bytes.length);
      let stored: Uint8Array;
      if (inTail >= 0) stored = bytes.subarray(inTail, inTail + trailer.storedLength);
      else {
        stored = await source.read(trailer.offset, trailer.offset + trailer.storedLength);
        io.reads++;
        io.bytes += stored.length;
      }
      const rawBytesMax = options.rawBytesMax ?? SECTION_RAW_BYTES_MAX;
      const raw = unpack(stored, { ...trailer, encoding: SectionEncoding.zstd }, codec, rawBytesMax);
      const directory = decodeDirectory(raw, trailer.offset);
      checkVersion(trailer.version, directory.resolutionSeconds);
      return new BlockReader(directory, source, codec, rawBytesMax, io);
    });
  }

  /** The batches that rows refer to. */
  async batchIds(): Promise<string[]> {
    const fetched = await this.#fetch([this.directory.batchesSection]);
    return this.#decode('batches', () =>
      decodeTexts(this.#raw(fetched, this.directory.batchesSection), 'batches section'),
    );
  }

  /** Totals of one profile type with their series; no stacks. One range read. */
  async totals(dataset: DatasetEntry, type: TypeEntry): Promise<{ labelSets: Labels[]; totals: RowTotals }> {
    const fetched = await this.#fetch([type.totalsSection, dataset.seriesSection]);
    return this.#totals(fetched, dataset, type);
  }

  /** What a flame graph of one profile type needs. One range read where the sections lie together. */
  async samples(
    dataset: DatasetEntry,
    type: TypeEntry,
  ): Promise<{ labelSets: Labels[]; totals: RowTotals; symbols: Symbols; samples: PackedSamples }> {
    const fetched = await this.#fetch([
      type.totalsSection,
      dataset.seriesSection,
      dataset.symbolsSection,
      type.samplesSection,
    ]);
    const { labelSets, totals } = this.#totals(fetched, dataset, type);
    const section = `symbols of ${dataset.service}`;
    const symbols = this.#decode(section, () => decodeSymbols(this.#raw(fetched, dataset.symbolsSection)));
    const samples = this.#samples(fetched, type, totals);
    return { labelSets, totals, symbols, samples };
  }

  /** Labels of all series of a dataset. */
  async labelSets(dataset: DatasetEntry): Promise<Labels[]> {
    const fetched = await this.#fetch([dataset.seriesSection]);
    return this.#series(fetched, dataset);
  }

  /** A whole dataset, unpacked, for merging. */
  async dataset(entry: DatasetEntry): Promise<BlockDataset> {
    const sections = entry.types.flatMap((type) => [type.totalsSection, type.samplesSection]);
    const fetched = await this.#fetch([entry.seriesSection, entry.symbolsSection, ...sections]);
    const labelSets = this.#series(fetched, entry);
    const section = `symbols of ${entry.service}`;
    const symbols = this.#decode(section, () => decodeSymbols(this.#raw(fetched, entry.symbolsSection)));
    const types = new Map<string, BlockRows>();
    for (const type of entry.types) {
      const { totals } = this.#totals(fetched, entry, type);
      const packed = this.#samples(fetched, type, totals);
      const rows = this.#decode(`samples of ${entry.service} ${type.profileType}`, () => {
        const unpacked = unpackRows(totals, packed, symbols.stacks.count);
        checkAgainstDirectory(unpacked, entry, type);
        return unpacked;
      });
      types.set(type.profileType, rows);
    }
    return { service: entry.service, symbols, labelSets, types };
  }

  /** Reads and checks every section. @throws CorruptBlockError at the first damage */
  async verify(): Promise<void> {
    await this.batchIds();
    for (const entry of this.directory.datasets) await this.dataset(entry);
  }

  #series(fetched: Fetched, dataset: DatasetEntry): Labels[] {
    return this.#decode(`series of ${dataset.service}`, () =>
      decodeSeries(this.#raw(fetched, dataset.seriesSection)),
    );
  }

  #totals(
    fetched: Fetched,
    dataset: DatasetEntry,
    type: TypeEntry,
  ): { labelSets: Labels[]; totals: RowTotals } {
    const labelSets = this.#series(fetched, dataset);
    const totals = this.#decode(`totals of ${dataset.service} ${type.profileType}`, () => {
      const rows = decodeTotals(
        this.#raw(fetched, type.totalsSection),
        labelSets.length,
        this.directory.batchCount,
        this.directory.resolutionSeconds > 0,
      );
      if (rows.count !== type.rows)
        throw new MalformedInputError(
          'totals section',
          `has ${rows.count} rows, the directory says ${type.rows}`,
        );
      return rows;
    });
    return { labelSets, totals };
  }

  #samples(fetched: Fetched, type: TypeEntry, totals: RowTotals): PackedSamples {
    return this.#decode(`samples of ${type.profileType}`, () =>
      openSamples(this.#raw(fetched, type.samplesSection), totals.count),
    );
  }

  #raw(fetched: Fetched, section: SectionRef): Uint8Array {
    return unpack(fetched.get(section.offset)!, section, this.#codec, this.#rawBytesMax);
  }

  #decode<T>(section: string, decode: () => T): T {
    try {
      return decode();
    } catch (error) {
      throw corrupt(this.directory.blockId, section, error);
    }
  }

  /** Fetches the stored bytes of sections with as few reads as their places allow. */
  async #fetch(sections: readonly SectionRef[]): Promise<Fetched> {
    const ranges = coalesceRanges(sections.map((s) => ({ start: s.offset, end: s.offset + s.storedLength })));
    const parts = await Promise.all(ranges.map((range) => this.#source.read(range.start, range.end)));
    this.io.reads += ranges.length;
    for (const part of parts) this.io.bytes += part.length;
    const fetched = new Map<number, Uint8Array>();
    for (const section of sections) {
      const index = ranges.findIndex(
        (r) => r.start <= section.offset && section.offset + section.storedLength <= r.end,
      );
      const start = section.offset - (ranges[index]?.start ?? 0);
      fetched.set(
        section.offset,
        parts[index]?.subarray(start, start + section.storedLength) ?? new Uint8Array(0),
      );
    }
    return fetched;
  }
}

/** What the directory promises of a profile type must be what its rows hold: planning and merging rely on it. */
function checkAgainstDirectory(rows: ProfileRows, entry: DatasetEntry, type: TypeEntry): void {
  const fail = (message: string): never => {
    throw new MalformedInputError('samples section', message);
  };
  const total = exactTotal(rows);
  if (total !== type.total) fail(`sums to ${total}, the directory says ${type.total}`);
  const scale = commonScale(rows);
  if (scale !== type.scale) fail(`has values in multiples of ${scale}, the directory says ${type.scale}`);
  const samples = sampleCount(rows);
  if (samples !== type.samples) fail(`stands for ${samples} samples, the directory says ${type.samples}`);
  for (let row = 0; row < rows.count; row++) {
    if (rows.start[row]! < entry.minTime || rows.start[row]! + rows.duration[row]! > entry.maxTime) {
      fail(`row ${row} lies outside the time range of its dataset`);
    }
  }
}

interface Trailer {
  readonly offset: number;
  readonly storedLength: number;
  readonly rawLength: number;
  readonly crc: number;
  readonly version: number;
}

function checkVersion(version: number, resolutionSeconds: number): void {
  const expected = formatVersionOf(resolutionSeconds);
  if (version === expected) return;
  throw new MalformedInputError(
    'block',
    `has format version ${version}, one of ${resolutionSeconds} seconds resolution has ${expected}`,
  );
}

function readTrailer(tail: Uint8Array, size: number, codec: Codec): Trailer {
  if (size < HEADER_LENGTH + TRAILER_LENGTH || tail.length < TRAILER_LENGTH) {
    throw new MalformedInputError('block', `has ${size} bytes, too few for a block`);
  }
  const bytes = tail.subarray(tail.length - TRAILER_LENGTH);
  const input = new ByteReader(bytes, 'block trailer');
  const offset = input.u64();
  const storedLength = input.u32();
  const rawLength = input.u32();
  const crc = input.u32();
  const trailerCrc = input.u32();
  const version = input.u16();
  input.u16();
  if (input.u32() !== BLOCK_MAGIC) throw new MalformedInputError('block', 'does not end as a block does');
  if (trailerCrc !== codec.crc32(bytes.subarray(0, 20))) input.fail('its checksum does not match');
  if (version !== RAW_FORMAT_VERSION && version !== DOWNSAMPLED_FORMAT_VERSION) {
    throw new MalformedInputError(
      'block',
      `has format version ${version}, this reads ${RAW_FORMAT_VERSION} and ${DOWNSAMPLED_FORMAT_VERSION}`,
    );
  }
  if (offset < HEADER_LENGTH || offset + storedLength + TRAILER_LENGTH !== size) {
    throw new MalformedInputError('block', 'its directory does not lie where its trailer says');
  }
  return { offset, storedLength, rawLength, crc, version };
}

function unpack(
  stored: Uint8Array,
  section: Omit<SectionRef, 'offset'>,
  codec: Codec,
  rawBytesMax: number,
): Uint8Array {
  if (stored.length !== section.storedLength) {
    throw new MalformedInputError(
      'section',
      `has ${stored.length} bytes, the directory says ${section.storedLength}`,
    );
  }
  if (section.rawLength > rawBytesMax) {
    throw new MalformedInputError(
      'section',
      `unfolds to ${section.rawLength} bytes, the limit section_raw_bytes_max is ${rawBytesMax}`,
    );
  }
  if (codec.crc32(stored) !== section.crc)
    throw new MalformedInputError('section', 'its checksum does not match');
  if (section.encoding === SectionEncoding.zstd) return codec.decompress(stored, section.rawLength);
  if (section.encoding !== SectionEncoding.stored)
    throw new MalformedInputError('section', `has unknown encoding ${section.encoding}`);
  if (section.rawLength !== stored.length)
    throw new MalformedInputError('section', 'is stored but has another raw length');
  return stored;
}

async function asCorrupt<T>(blockId: string, section: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw corrupt(blockId, section, error);
  }
}

/** Malformed content of something stored is corruption; everything else (I/O, bugs) stays what it is. */
function corrupt(blockId: string, section: string, error: unknown): unknown {
  if (!(error instanceof MalformedInputError)) return error;
  return new CorruptBlockError(blockId, section, error.message, { cause: error });
}
