import { MalformedInputError } from '../../core/errors.ts';
import { addLedgers } from './ledger.ts';
import type { SpoolFile, SpoolFs } from './spool-fs.ts';
import {
  decodeRecordHead,
  HEADER_BYTES_MAX,
  isPayloadSound,
  RECORD_MAGIC,
  RECORD_PREFIX_BYTES,
  type RecordHeader,
  type RecordPlace,
} from './spool-record.ts';
import type { Mark } from './spool-state.ts';

const NAME = /^(\d{12})\.seg$/;
/** The search for the next record after damage reads this much at a time. */
const SEARCH_BYTES = 64 * 1024;

/** The place in the order of records right after a record. */
export function markAfter(header: RecordHeader): Mark {
  return { ordinal: header.ordinal + 1, said: addLedgers(header.before, header.says) };
}

/** Segment files of a folder, oldest first. */
export function segmentNumbers(fs: SpoolFs, folder: string): number[] {
  const numbers = fs.list(folder).flatMap((name) => NAME.exec(name)?.[1] ?? []);
  return numbers.map(Number).sort((a, b) => a - b);
}

/** One append-only file of records. */
export class Segment {
  readonly number: number;
  readonly path: string;
  readonly file: SpoolFile;
  /** Bytes that count: what lies behind them is the rest of a write that failed. */
  size: number;
  /** Right after its last record; undefined while it has none. */
  end: Mark | undefined;
  oldestCreatedMs = Number.POSITIVE_INFINITY;
  newestCreatedMs = 0;

  constructor(fs: SpoolFs, folder: string, number: number) {
    this.number = number;
    this.path = `${folder}/${String(number).padStart(12, '0')}.seg`;
    this.file = fs.open(this.path);
    this.size = this.file.size();
  }

  /** Notes a record that was found or written. */
  note(header: RecordHeader): void {
    if (this.end === undefined || header.ordinal >= this.end.ordinal) this.end = markAfter(header);
    this.oldestCreatedMs = Math.min(this.oldestCreatedMs, header.createdMs);
    this.newestCreatedMs = Math.max(this.newestCreatedMs, header.createdMs);
  }

  /** The first record with a sound header at or after `offset`; bytes between that are no record are stepped over. */
  find(offset: number): RecordPlace | undefined {
    for (let at = offset; at + RECORD_PREFIX_BYTES <= this.size; ) {
      const head = this.file.read(at, Math.min(RECORD_PREFIX_BYTES + HEADER_BYTES_MAX, this.size - at));
      try {
        return decodeRecordHead(head, at);
      } catch (error) {
        if (!(error instanceof MalformedInputError)) throw error;
      }
      at = this.#nextMagic(at + 1);
    }
    return undefined;
  }

  /** All records with sound headers, in order. */
  *records(): Generator<RecordPlace> {
    for (let place = this.find(0); place !== undefined; place = this.find(place.offset + place.length))
      yield place;
  }

  /** The payload of a record, or undefined when it is damaged. */
  payload(place: RecordPlace): Uint8Array | undefined {
    if (place.offset + place.length > this.size) return undefined;
    const payload = this.file.read(place.payloadOffset, place.payloadLength);
    return isPayloadSound(place, payload) ? payload : undefined;
  }

  /** Cuts the file; what was behind is gone. */
  truncate(length: number): void {
    this.file.truncate(length);
    this.file.sync();
    this.size = length;
  }

  #nextMagic(from: number): number {
    for (let at = from; at + 4 <= this.size; at += SEARCH_BYTES - 3) {
      const bytes = this.file.read(at, Math.min(SEARCH_BYTES, this.size - at));
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let i = 0; i + 4 <= bytes.length; i++) {
        if (view.getUint32(i, true) === RECORD_MAGIC) return at + i;
      }
    }
    return this.size;
  }
}
