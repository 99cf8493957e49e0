import type { SpooledBatch } from './spool.ts';
import type { SpoolFs } from './spool-fs.ts';
import { isFileSystemError } from './spool-fs.ts';
import { encodeRecord } from './spool-record.ts';

/** Batches that the hub refused for good are kept for whoever looks into it: at most this many bytes. */
export const REJECTED_BYTES_MAX = 16 * 1024 * 1024;
/** A refusal is kept as a record file, and its reason as a text beside it. */
const RECORD_SUFFIX = '.rejected';
const REASON_SUFFIX = '.reason.txt';

/** Sets refused batches aside, so that one of them never stands in the way of the others. Best effort: they are lost anyway. */
export class RejectedFolder {
  readonly #fs: SpoolFs;
  readonly #folder: string;
  readonly #bytesMax: number;

  constructor(options: { fs: SpoolFs; folder: string; bytesMax: number }) {
    this.#fs = options.fs;
    this.#folder = `${options.folder}/rejected`;
    this.#bytesMax = Math.min(REJECTED_BYTES_MAX, Math.floor(options.bytesMax / 16));
  }

  keep({ header, payload }: SpooledBatch, reason: string): void {
    const record = encodeRecord(header, payload);
    const name = String(header.ordinal).padStart(12, '0');
    try {
      this.#fs.makeFolder(this.#folder);
      this.#makeRoom(record.length);
      if (record.length <= this.#bytesMax) this.#write(`${name}${RECORD_SUFFIX}`, record);
      this.#write(`${name}${REASON_SUFFIX}`, new TextEncoder().encode(`${reason}\n`));
    } catch (error) {
      if (!isFileSystemError(error)) throw error;
    }
  }

  #write(name: string, bytes: Uint8Array): void {
    const file = this.#fs.open(`${this.#folder}/${name}`);
    try {
      file.truncate(0);
      file.write(0, bytes);
    } finally {
      file.close();
    }
  }

  /** Removes the oldest until the rest and `bytes` more are within the limit. */
  #makeRoom(bytes: number): void {
    const names = this.#fs.list(this.#folder).sort();
    const sizes = names.map((name) => this.#sizeOf(name));
    let total = sizes.reduce((sum, size) => sum + size, 0);
    for (let i = 0; i < names.length && total + bytes > this.#bytesMax; i++) {
      this.#fs.remove(`${this.#folder}/${names[i]}`);
      total -= sizes[i]!;
    }
  }

  #sizeOf(name: string): number {
    const file = this.#fs.open(`${this.#folder}/${name}`);
    try {
      return file.size();
    } finally {
      file.close();
    }
  }
}
