/**
 * Compression and checksums, given to the core by its host (Node.js has zstd and CRC-32 built in; see
 * storage/zstd-codec.ts). The same raw bytes must always compress to the same bytes.
 */
export interface Codec {
  compress(raw: Uint8Array): Uint8Array;
  /**
   * Returns exactly `rawLength` bytes and never allocates more.
   * @throws MalformedInputError when the content is damaged or has another length.
   */
  decompress(compressed: Uint8Array, rawLength: number): Uint8Array;
  /** CRC-32 (IEEE 802.3, as in zlib) as an unsigned 32-bit number. */
  crc32(bytes: Uint8Array): number;
}
