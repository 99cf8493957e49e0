import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { NOW } from '../api-under-test.ts';

// pprof profiles that an attacker, or a broken program, could send, written byte by byte.

type Fields = (out: BinaryWriter) => void;

export function message(...fields: Fields[]): Uint8Array<ArrayBuffer> {
  const out = new BinaryWriter();
  for (const field of fields) field(out);
  return new Uint8Array(out.finish());
}

export const part =
  (no: number, value: Uint8Array): Fields =>
  (out) =>
    out.tag(no, WireType.LengthDelimited).bytes(value);
export const text =
  (no: number, value: string): Fields =>
  (out) =>
    out.tag(no, WireType.LengthDelimited).string(value);
export const varint =
  (no: number, value: number | bigint): Fields =>
  (out) =>
    out.tag(no, WireType.Varint).int64(value);

export interface ProfileParts {
  strings?: (string | Uint8Array)[];
  samples?: Uint8Array[];
  locations?: Uint8Array[];
  functions?: Uint8Array[];
  timeNanos?: bigint;
  more?: Fields[];
}

export const sample = (locations: (number | bigint)[], values: (number | bigint)[], ...more: Fields[]) =>
  message(
    (out) => {
      out.tag(1, WireType.LengthDelimited).fork();
      for (const id of locations) out.uint64(id);
      out.join();
    },
    (out) => {
      out.tag(2, WireType.LengthDelimited).fork();
      for (const value of values) out.int64(value);
      out.join();
    },
    ...more,
  );

export const location = (id: number | bigint, functionId: number | bigint) =>
  message(varint(1, id), part(4, message(varint(1, functionId))));

export const func = (id: number | bigint, name: number | bigint) => message(varint(1, id), varint(2, name));

/** Strings 1 and 2 are the value type; the default profile is one sample of 1 in a function named by string 3. */
export function profileOf(parts: ProfileParts = {}): Uint8Array<ArrayBuffer> {
  const strings = parts.strings ?? ['work'];
  return message(
    part(1, message(varint(1, 1), varint(2, 2))),
    ...(parts.samples ?? [sample([1], [1])]).map((one) => part(2, one)),
    ...(parts.locations ?? [location(1, 1)]).map((one) => part(4, one)),
    ...(parts.functions ?? [func(1, 3)]).map((one) => part(5, one)),
    ...['', 'cpu', 'nanoseconds'].map((one) => text(6, one)),
    ...strings.map((one) => (typeof one === 'string' ? text(6, one) : part(6, one))),
    varint(9, parts.timeNanos ?? BigInt(NOW - 60_000) * 1_000_000n),
    ...(parts.more ?? []),
  );
}
