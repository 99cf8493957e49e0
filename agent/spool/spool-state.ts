import { crc32 } from 'node:zlib';
import { emptyLedger, type Ledger } from './ledger.ts';
import type { SpoolFile, SpoolFs } from './spool-fs.ts';

// The few numbers of a spool that are not in its records. They live in a file of two slots that are written in turn and
// in place: a torn write leaves the other slot, and a full disk does not stand in the way, as the bytes exist already.
//   slot: u32 magic "CBSS" | u32 length | u32 CRC-32 of the JSON | JSON, zeros up to SLOT_BYTES

export const STATE_FILE = 'state';
const STATE_MAGIC = 0x53534243;
const SLOT_BYTES = 4096;
const PREFIX_BYTES = 12;

/** A place in the order of records: the next ordinal, and what all records before it said together. */
export interface Mark {
  readonly ordinal: number;
  readonly said: Ledger;
}

/** What a spool knows of itself. */
export interface SpoolState {
  /** Counts the writes of this state: the slot with the higher number is newer. */
  readonly generation: number;
  /** Everything that happened and has to be said by some batch. */
  readonly owed: Ledger;
  /** End of the records: the ordinal that the next one gets. */
  readonly end: Mark;
  /** All records before this one are settled: acknowledged by the hub, or counted as dropped. */
  readonly settled: Mark;
  /**
   * Records in [from, to) are given up and counted already. They come after the first unsettled record, which is never
   * given up unasked: it may be on its way to the hub.
   */
  readonly skip: { readonly from: Mark; readonly to: Mark };
}

const firstMark: Mark = { ordinal: 1, said: emptyLedger };
export const firstState: SpoolState = {
  generation: 0,
  owed: emptyLedger,
  end: firstMark,
  settled: firstMark,
  skip: { from: firstMark, to: firstMark },
};

/** Keeps a SpoolState on disk. */
export class StateFile {
  readonly #file: SpoolFile;
  #generation: number;

  private constructor(file: SpoolFile, generation: number) {
    this.#file = file;
    this.#generation = generation;
  }

  /** Opens the state of a folder; `state` is undefined when there is none or both slots are damaged. */
  static open(fs: SpoolFs, folder: string): { file: StateFile; state: SpoolState | undefined } {
    const file = fs.open(`${folder}/${STATE_FILE}`);
    const state = newestSlot(file);
    if (file.size() < 2 * SLOT_BYTES) {
      // Real zeros, not a hole: later writes must not need room.
      file.write(file.size(), new Uint8Array(2 * SLOT_BYTES - file.size()));
      file.sync();
      fs.syncFolder(folder);
    }
    return { file: new StateFile(file, state?.generation ?? 0), state };
  }

  /** Returns once the state would survive a loss of power. */
  write(state: Omit<SpoolState, 'generation'>): void {
    const generation = this.#generation + 1;
    const json = new TextEncoder().encode(JSON.stringify({ ...state, generation }));
    const slot = new Uint8Array(SLOT_BYTES);
    const view = new DataView(slot.buffer);
    view.setUint32(0, STATE_MAGIC, true);
    view.setUint32(4, json.length, true);
    view.setUint32(8, crc32(json), true);
    slot.set(json, PREFIX_BYTES);
    this.#file.write((generation % 2) * SLOT_BYTES, slot);
    this.#file.sync();
    this.#generation = generation;
  }

  close(): void {
    this.#file.close();
  }
}

/** The newer of the two slots that is whole. */
export function newestSlot(file: SpoolFile): SpoolState | undefined {
  const slots = [0, SLOT_BYTES].map((at) => readSlot(file.read(at, SLOT_BYTES)));
  return slots.reduce((a, b) =>
    b !== undefined && (a === undefined || b.generation > a.generation) ? b : a,
  );
}

function readSlot(bytes: Uint8Array): SpoolState | undefined {
  if (bytes.length < PREFIX_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(4, true);
  if (view.getUint32(0, true) !== STATE_MAGIC || length > bytes.length - PREFIX_BYTES) return undefined;
  // A write torn right after the magic leaves zeros, and the checksum of nothing is zero.
  if (length === 0) return undefined;
  const json = bytes.subarray(PREFIX_BYTES, PREFIX_BYTES + length);
  if (crc32(json) !== view.getUint32(8, true)) return undefined;
  return JSON.parse(new TextDecoder().decode(json)) as SpoolState;
}
