import { limitExceeded } from '../errors.ts';
import type { StackTable } from '../profile/stack-table.ts';
import type { SymbolTable } from '../profile/symbol-table.ts';
import { truncatedFrame } from '../profile/truncated-frame.ts';
import { ProtoReader } from '../wire/proto-reader.ts';
import { readShortVarints, SHORT_VARINT_MAX } from '../wire/short-varint.ts';
import type { LocationSection } from './location-section.ts';
import type { PprofLimits } from './pprof-limits.ts';
import { PPROF } from './pprof-sections.ts';

/** Longest varint, in bytes. */
const VARINT_BYTES_MAX = 10;
const NOTHING = new Uint8Array(0);
const NO_COLUMN = new Int32Array(0);

/**
 * From the location ids of a sample to its stack. Serves sample after sample, profile after profile.
 *
 * Most bytes of a profile pass here, so this is three plain loops: from bytes to ids, from ids to frames, and from
 * frames to a stack (StackTable.addPath).
 */
export class SamplePath {
  #raw: Uint8Array = NOTHING;
  #locations!: LocationSection;
  #symbols!: SymbolTable;
  #stacks!: StackTable;
  #limits!: PprofLimits;
  #nodesBefore = 0;
  #frames = 0;
  #truncatedFrame = -1;
  /** Ids of the sample, leaf first. One that is not short is −1 − where it starts in the profile. */
  #ids: Int32Array = NO_COLUMN;
  #idCount = 0;
  /** The first piece of the path, which is not looked at before the sample is known to have a value. */
  #start = 0;
  #end = 0;
  /** Frames of the sample, root first; as long as a stack may be deep. */
  #path: Int32Array = NO_COLUMN;

  /** Starts on the next profile. */
  reset(raw: Uint8Array, locations: LocationSection, into: SymbolTable, limits: PprofLimits): void {
    this.#raw = raw;
    this.#locations = locations;
    this.#symbols = into;
    this.#stacks = into.stacks;
    this.#limits = limits;
    this.#nodesBefore = into.stacks.count;
    this.#frames = 0;
    this.#truncatedFrame = -1;
    if (this.#path.length !== limits.stackDepthMax) {
      this.#path = new Int32Array(limits.stackDepthMax);
      this.#ids = new Int32Array(2 * this.#pieceMax);
    }
  }

  /** Forgets the profile, but keeps the columns for the next. */
  release(): void {
    this.#raw = NOTHING;
    this.#locations = this.#symbols = this.#stacks = undefined!;
  }

  get byteLength(): number {
    return this.#ids.byteLength + this.#path.byteLength;
  }

  /** Bytes that hold more ids than a stack may be deep: of a longer piece only the end counts, which is the root. */
  get #pieceMax(): number {
    return (this.#limits.stackDepthMax + 1) * VARINT_BYTES_MAX;
  }

  /** Starts the next sample. */
  begin(): void {
    this.#start = this.#end = this.#idCount = 0;
  }

  /** More ids of the sample: those at [start, end) of the profile, packed. Mostly they come in one piece. */
  add(start: number, end: number): void {
    if (this.#start !== this.#end) this.#readIds();
    this.#start = start;
    this.#end = end;
  }

  /** The stack of the sample whose ids were added. */
  stack(): number {
    this.#readIds();
    const depth = this.#resolve();
    const stack = this.#stacks.addPath(this.#path, depth);
    this.#frames += depth;
    this.#checkLimits();
    return stack;
  }

  #readIds(): void {
    const end = this.#end;
    let start = this.#start;
    if (end - start > this.#pieceMax) start = this.#idStart(end - this.#pieceMax);
    if (this.#idCount + end - start > this.#ids.length) this.#keepRoots();
    const read = readShortVarints(this.#raw, start, end, this.#ids, this.#idCount);
    this.#idCount = read < 0 ? this.#readAnyIds(start, end) : read;
  }

  /** Where the id starts that has a byte at `at`: behind the nearest byte before it that ends another. */
  #idStart(at: number): number {
    let first = at;
    while (first > this.#start && this.#raw[first - 1]! > 127) first--;
    return first;
  }

  /** Makes room by dropping ids at the leaf that a stack has no room for. */
  #keepRoots(): void {
    const kept = Math.min(this.#idCount, this.#limits.stackDepthMax + 1);
    this.#ids.copyWithin(0, this.#idCount - kept, this.#idCount);
    this.#idCount = kept;
  }

  /** Reads any ids, and says what is wrong with those that are broken. */
  #readAnyIds(start: number, end: number): number {
    const reader = new ProtoReader(this.#raw, PPROF, start);
    let count = this.#idCount;
    while (reader.at < end) {
      const { at } = reader;
      reader.varint();
      const isShort = reader.high === 0 && reader.low <= SHORT_VARINT_MAX;
      this.#ids[count++] = isShort ? reader.low : -1 - at;
    }
    reader.leave(end);
    return count;
  }

  /**
   * Turns the ids into frames, root first, and answers how many. The inner loop takes what is known and one frame, which
   * is nearly everything, and calls nobody, so that all it uses stays in registers.
   */
  #resolve(): number {
    const { frameById } = this.#locations;
    const known = this.#locations.ids.denseCount;
    const path = this.#path;
    const ids = this.#ids;
    let depth = 0;
    let i = this.#idCount - 1;
    while (i >= 0) {
      for (; i >= 0 && depth < path.length; i--) {
        const id = ids[i]!;
        const frame = id >>> 0 < known ? frameById[id]! : 0;
        if (frame <= 0) break;
        path[depth++] = frame - 1;
      }
      if (i < 0) break;
      depth = depth === path.length ? -1 : this.#addFrames(this.#frameOf(ids[i--]!), depth);
      if (depth < 0) return this.#cut();
    }
    return depth;
  }

  /** Adds the frames of one location to the path and answers how deep it is now, or -1 when it is too deep. */
  #addFrames(frame: number, depth: number): number {
    const path = this.#path;
    if (frame > 0) {
      path[depth] = frame - 1;
      return depth + 1;
    }
    const { runStarts, runFrames } = this.#locations;
    let next = depth;
    for (let k = runStarts[-1 - frame]!, end = runStarts[-frame]!; k < end; k++) {
      if (next === path.length) return -1;
      path[next++] = runFrames[k]!;
    }
    return next;
  }

  /** The path is full and more was to come: its leaf gives way to the mark of the cut. */
  #cut(): number {
    if (this.#truncatedFrame < 0) this.#truncatedFrame = truncatedFrame(this.#symbols);
    this.#path[this.#path.length - 1] = this.#truncatedFrame;
    return this.#path.length;
  }

  /** What LocationSection.frameOfId answers for the id, as it is in #ids. */
  #frameOf(id: number): number {
    const { frameById, ids } = this.#locations;
    const frame = id >>> 0 < ids.denseCount ? frameById[id]! : 0;
    return frame === 0 ? this.#findFrame(id) : frame;
  }

  /** The frame of a location that is new, sparse or wrong; `id` as in #ids. */
  #findFrame(id: number): number {
    if (id >= 0) return this.#locations.frameOfId(id, 0, this.#end);
    const reader = new ProtoReader(this.#raw, PPROF, -1 - id);
    reader.varint();
    return this.#locations.frameOfId(reader.low, reader.high, reader.at);
  }

  #checkLimits(): void {
    const { framesMax, stackNodesMax } = this.#limits;
    if (this.#frames > framesMax) {
      const limit = { name: 'pprof_frames_max', value: framesMax, unit: 'frames in all samples' };
      throw limitExceeded(limit, this.#frames);
    }
    const added = this.#stacks.count - this.#nodesBefore;
    if (added <= stackNodesMax) return;
    const unit = 'new stack prefixes in one profile';
    throw limitExceeded({ name: 'pprof_stack_nodes_max', value: stackNodesMax, unit }, added);
  }
}
