import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  unlinkSync,
  writeSync,
} from 'node:fs';

// What the spool asks of a file system. Calls are synchronous on purpose: an append happens once per flush, takes about
// as long as one fsync, and nothing of the agent may run between the two halves of one.

/** One open file. Every method throws what the system reports, with `code` set. */
export interface SpoolFile {
  size(): number;
  /** Up to `length` bytes from `at`; fewer only at the end of the file. */
  read(at: number, length: number): Uint8Array;
  /** Writes all bytes at `at`. When it throws, any part of them may have been written. */
  write(at: number, bytes: Uint8Array): void;
  truncate(length: number): void;
  /** Returns once the content and the size would survive a loss of power. */
  sync(): void;
  close(): void;
}

export interface SpoolFs {
  makeFolder(path: string): void;
  /** Names in a folder, in any order. */
  list(path: string): string[];
  /** Opens for reading and writing; makes an empty file when there is none. */
  open(path: string): SpoolFile;
  remove(path: string): void;
  /** Returns once the names in the folder would survive a loss of power. */
  syncFolder(path: string): void;
}

/** Whether an error says that there is no room: the disk is full, or a quota is used up. */
export function isOutOfSpace(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG';
}

/** Whether an error came from the file system, rather than from a mistake in this program. */
export function isFileSystemError(error: unknown): boolean {
  return typeof (error as { syscall?: unknown } | null)?.syscall === 'string';
}

/** The real file system. Files are readable by their owner only: stacks name what runs on the node. */
export const nodeFs: SpoolFs = {
  makeFolder: (path) => void mkdirSync(path, { recursive: true, mode: 0o700 }),
  list: (path) => readdirSync(path),
  open: (path) => new NodeFile(openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600)),
  remove: (path) => unlinkSync(path),
  syncFolder: (path) => {
    const folder = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  },
};

class NodeFile implements SpoolFile {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  size(): number {
    return fstatSync(this.#fd).size;
  }

  read(at: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const read = readSync(this.#fd, bytes, done, length - done, at + done);
      if (read === 0) return bytes.subarray(0, done);
      done += read;
    }
    return bytes;
  }

  write(at: number, bytes: Uint8Array): void {
    let done = 0;
    while (done < bytes.length) done += writeSync(this.#fd, bytes, done, bytes.length - done, at + done);
  }

  truncate(length: number): void {
    ftruncateSync(this.#fd, length);
  }

  sync(): void {
    fsyncSync(this.#fd);
  }

  close(): void {
    closeSync(this.#fd);
  }
}
