import { type ProtoReader, WireType } from '../wire/proto-reader.ts';

/** Name of the format in messages. */
export const OTLP = 'otlp profiles';

/** What an attribute can be here; lists, maps and bytes are not needed and read as undefined. */
export type AttributeValue = string | number | bigint | boolean;

/** Texts by index of the request's string table. */
export type TextAt = (index: number) => string;

const decoder = new TextDecoder();
/** Longest attribute value that is kept, in characters. */
const VALUE_LENGTH_MAX = 8192;

/**
 * Reads one AnyValue (opentelemetry/proto/common/v1/common.proto) in [at, end): field 1 string, 2 bool, 3 int64,
 * 4 double, 8 index of a string. A collector writes strings as indices, a direct sender as text.
 */
export function readAnyValue(reader: ProtoReader, end: number, text: TextAt): AttributeValue | undefined {
  let value: AttributeValue | undefined;
  while (reader.at < end) {
    const tag = reader.tag();
    if (tag === ((1 << 3) | WireType.bytes)) value = decoder.decode(reader.view()).slice(0, VALUE_LENGTH_MAX);
    else if (tag === ((2 << 3) | WireType.varint)) value = reader.uint() !== 0;
    else if (tag === ((3 << 3) | WireType.varint)) {
      reader.varint();
      const number = reader.signed();
      value = number >= -(2n ** 53n) && number <= 2n ** 53n ? Number(number) : number;
    } else if (tag === ((8 << 3) | WireType.varint)) value = text(reader.uint());
    else reader.skip(tag);
  }
  reader.leave(end);
  return value;
}

/**
 * Reads one attribute: KeyValue {1 key, 2 value, 3 key_strindex} or KeyValueAndUnit {1 key_strindex, 2 value,
 * 3 unit_strindex}; the wire type of field 1 tells which. A key in text wins over its index.
 */
export function readAttribute(
  reader: ProtoReader,
  end: number,
  text: TextAt,
): [string, AttributeValue | undefined] {
  let key = '';
  let keyIndex = 0;
  let value: AttributeValue | undefined;
  let inTable = false;
  while (reader.at < end) {
    const tag = reader.tag();
    if (tag === ((1 << 3) | WireType.bytes)) key = decoder.decode(reader.view());
    else if (tag === ((1 << 3) | WireType.varint)) {
      keyIndex = reader.uint();
      inTable = true;
    } else if (tag === ((2 << 3) | WireType.bytes)) value = readAnyValue(reader, reader.enter(), text);
    else if (tag === ((3 << 3) | WireType.varint)) {
      const index = reader.uint();
      if (!inTable) keyIndex = index;
    } else reader.skip(tag);
  }
  reader.leave(end);
  return [key !== '' ? key : text(keyIndex), value];
}
