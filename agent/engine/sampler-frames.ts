import { MalformedInputError } from '../../core/errors.ts';

/** Kinds of frames between an engine and the supervisor. */
export const FrameKind = { profiles: 1, status: 2, log: 3, hello: 4 } as const;

/** Longest frame: the sampler closes a message at 2 MiB. */
export const FRAME_BYTES_MAX = 16 * 1024 * 1024;
const PREFIX_BYTES = 5;

/** One frame: `u32 payload length, little-endian | u8 kind | payload`. */
export interface Frame {
  readonly kind: number;
  readonly payload: Uint8Array;
}

/** Puts frames together from pieces of a stream, cut anywhere. Holds one frame at most. */
export class FrameParser {
  readonly #onFrame: (frame: Frame) => void;
  readonly #prefix = new Uint8Array(PREFIX_BYTES);
  #prefixLength = 0;
  #payload: Uint8Array | undefined;
  #filled = 0;

  constructor(onFrame: (frame: Frame) => void) {
    this.#onFrame = onFrame;
  }

  /** @throws MalformedInputError when a frame is longer than any that is sent; the stream is useless from there on */
  push(piece: Uint8Array): void {
    for (let at = 0; at < piece.length; ) {
      at +=
        this.#payload === undefined
          ? this.#fillPrefix(piece, at)
          : this.#fillPayload(this.#payload, piece, at);
    }
  }

  /** Whether the stream may end here. */
  get isBetweenFrames(): boolean {
    return this.#prefixLength === 0;
  }

  #fillPrefix(piece: Uint8Array, at: number): number {
    const length = Math.min(PREFIX_BYTES - this.#prefixLength, piece.length - at);
    this.#prefix.set(piece.subarray(at, at + length), this.#prefixLength);
    this.#prefixLength += length;
    if (this.#prefixLength < PREFIX_BYTES) return length;
    const announced = new DataView(this.#prefix.buffer).getUint32(0, true);
    if (announced > FRAME_BYTES_MAX) {
      throw new MalformedInputError(
        'engine frame',
        `announces ${announced} bytes, the limit is ${FRAME_BYTES_MAX}`,
      );
    }
    this.#payload = new Uint8Array(announced);
    this.#filled = 0;
    if (announced === 0) this.#emit(this.#payload);
    return length;
  }

  #fillPayload(payload: Uint8Array, piece: Uint8Array, at: number): number {
    const length = Math.min(payload.length - this.#filled, piece.length - at);
    payload.set(piece.subarray(at, at + length), this.#filled);
    this.#filled += length;
    if (this.#filled === payload.length) this.#emit(payload);
    return length;
  }

  #emit(payload: Uint8Array): void {
    this.#payload = undefined;
    this.#prefixLength = 0;
    this.#onFrame({ kind: this.#prefix[4]!, payload });
  }
}
