// Numbers of the block format. docs/format/block.md draws the bytes.

export const BLOCK_MAGIC = 0x4b4c4243; // "CBLK" as a little-endian u32
/** Of raw blocks, batches among them: what agents and hubs of every age read. */
export const RAW_FORMAT_VERSION = 1;
/** Of downsampled blocks, whose totals have the columns of a spread. Otherwise equal to version 1. */
export const DOWNSAMPLED_FORMAT_VERSION = 2;

/** The lowest version that can hold what a block of that resolution holds: writers write no higher one. */
export function formatVersionOf(resolutionSeconds: number): number {
  return resolutionSeconds === 0 ? RAW_FORMAT_VERSION : DOWNSAMPLED_FORMAT_VERSION;
}
/** magic u32, format version u16, flags u16 */
export const HEADER_LENGTH = 8;
/** directory offset u64, stored length u32, raw length u32, crc u32, crc of the 20 bytes before u32, version u16, flags u16, magic u32 */
export const TRAILER_LENGTH = 32;

/** How a section's bytes are kept. */
export const SectionEncoding = { stored: 0, zstd: 1 } as const;

/** Default limit on what one section may unfold to: a reader never allocates more for one. */
export const SECTION_RAW_BYTES_MAX = 256 * 1024 * 1024;
/** Default limit on the datasets (services) of one block. */
export const DATASETS_MAX = 100_000;
/** First read of a block's end: large enough for most directories, so that opening is one read. */
export const TAIL_READ_LENGTH = 16 * 1024;
