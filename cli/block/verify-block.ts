import {
  BLOCK_MAGIC,
  DOWNSAMPLED_FORMAT_VERSION,
  HEADER_LENGTH,
  RAW_FORMAT_VERSION,
  TRAILER_LENGTH,
} from '../../core/block/block-format.ts';
import { BlockReader } from '../../core/block/block-reader.ts';
import type { DatasetEntry, Directory } from '../../core/block/directory.ts';
import { CorruptBlockError } from '../../core/errors.ts';
import { ByteWriter } from '../../core/wire/byte-writer.ts';
import { zstdCodec } from '../../storage/zstd-codec.ts';
import type { BlockFile } from './block-file.ts';
import { type NamedSection, sectionsOf } from './block-sections.ts';

/** One damaged place. */
export interface Damage {
  readonly section: string;
  /** Stored bytes [start, end) of the section; undefined when damage keeps even that from being known. */
  readonly range: readonly [start: number, end: number] | undefined;
  readonly message: string;
}

export interface Verification {
  readonly blockId: string | undefined;
  readonly sections: number;
  readonly damages: readonly Damage[];
}

/**
 * Reads every section of a block and checks all there is to check: checksums, lengths, order, indices, and that entries
 * sum to their rows and rows to the totals of the directory. Goes on after damage, so that all of it is named.
 */
export async function verifyBlock(
  file: BlockFile,
  onSection: (done: number, all: number) => void,
): Promise<Verification> {
  const damages: Damage[] = [];
  const headerDamage = await damageOfHeader(file);
  if (headerDamage !== undefined) damages.push(headerDamage);
  let reader: BlockReader;
  try {
    reader = await BlockReader.open(file.source, zstdCodec, { blockId: file.path });
  } catch (error) {
    // Without trailer and directory nothing is known of where sections lie.
    const range = [Math.max(0, file.size - TRAILER_LENGTH), file.size] as const;
    damages.push({ ...damageOf(error, []), range });
    return { blockId: undefined, sections: 0, damages };
  }
  const { directory } = reader;
  const sections = sectionsOf(directory);
  const broken = new Set<string>();
  for (const [index, section] of sections.entries()) {
    onSection(index, sections.length);
    const damage = await damageOfBytes(file, section);
    if (damage === undefined) continue;
    broken.add(section.name);
    damages.push(damage);
  }
  damages.push(...(await damagesOfContent(reader, directory, sections, broken)));
  return { blockId: directory.blockId, sections: sections.length, damages };
}

async function damageOfHeader(file: BlockFile): Promise<Damage | undefined> {
  const header = await file.source.read(0, HEADER_LENGTH);
  const isHeader = (version: number) => headerOf(version).every((byte, i) => header[i] === byte);
  if ([RAW_FORMAT_VERSION, DOWNSAMPLED_FORMAT_VERSION].some(isHeader)) return undefined;
  return { section: 'header', range: [0, HEADER_LENGTH], message: 'does not begin as a block does' };
}

function headerOf(version: number): Uint8Array {
  const header = new ByteWriter(HEADER_LENGTH);
  header.u32(BLOCK_MAGIC);
  header.u16(version);
  header.u16(0);
  return header.view();
}

async function damageOfBytes(file: BlockFile, { name, ref }: NamedSection): Promise<Damage | undefined> {
  const range = [ref.offset, ref.offset + ref.storedLength] as const;
  const stored = await file.source.read(...range);
  if (stored.length === ref.storedLength && zstdCodec.crc32(stored) === ref.crc) return undefined;
  return { section: name, range, message: 'its checksum does not match' };
}

/** What a right checksum does not prove. A dataset with a broken section cannot be read, and was named already. */
async function damagesOfContent(
  reader: BlockReader,
  directory: Directory,
  sections: readonly NamedSection[],
  broken: ReadonlySet<string>,
): Promise<Damage[]> {
  const damages: Damage[] = [];
  const attempt = async (step: () => Promise<unknown>) => {
    try {
      await step();
    } catch (error) {
      damages.push(damageOf(error, sections));
    }
  };
  if (!broken.has('batches')) await attempt(() => reader.batchIds());
  for (const dataset of directory.datasets) {
    const isBroken = sectionsOfDataset(directory, dataset).some(({ name }) => broken.has(name));
    if (!isBroken) await attempt(() => reader.dataset(dataset));
  }
  return damages;
}

function sectionsOfDataset(directory: Directory, dataset: DatasetEntry): NamedSection[] {
  return sectionsOf({ ...directory, datasets: [dataset] }).filter(({ name }) => name !== 'batches');
}

function damageOf(error: unknown, sections: readonly NamedSection[]): Damage {
  if (!(error instanceof CorruptBlockError)) throw error;
  const found = sections.find(({ name }) => name === error.section);
  const range = found && ([found.ref.offset, found.ref.offset + found.ref.storedLength] as const);
  const cause = error.cause instanceof Error ? error.cause.message : error.message;
  return { section: error.section, range, message: cause };
}
