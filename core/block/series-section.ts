import { type Labels, labelsOf } from '../labels/labels.ts';
import { ByteReader } from '../wire/byte-reader.ts';
import { ByteWriter } from '../wire/byte-writer.ts';

// Section `series`: a table of texts, then per label set its length and (name, value) pairs of text indices.
// Sections `batches` of a block has the same shape as the table: the batch ids that its rows refer to.

/** Most labels one series may have. */
export const SERIES_LABELS_MAX = 128;
/** Longest label name or value in bytes. */
export const LABEL_BYTES_MAX = 8192;

export function encodeSeries(labelSets: readonly Labels[]): Uint8Array {
  const texts: string[] = [];
  const ids = new Map<string, number>();
  const idOf = (text: string): number => {
    let id = ids.get(text);
    if (id === undefined) {
      id = texts.push(text) - 1;
      ids.set(text, id);
    }
    return id;
  };
  const body = new ByteWriter();
  body.varint(labelSets.length);
  for (const labels of labelSets) {
    body.varint(labels.length);
    for (const [name, value] of labels) {
      body.varint(idOf(name));
      body.varint(idOf(value));
    }
  }
  const out = new ByteWriter();
  writeTexts(out, texts);
  out.bytes(body.view());
  return out.finish();
}

/** @throws MalformedInputError */
export function decodeSeries(bytes: Uint8Array): Labels[] {
  const input = new ByteReader(bytes, 'series section');
  const texts = readTexts(input);
  const count = input.count();
  const labelSets: Labels[] = [];
  for (let i = 0; i < count; i++) {
    const length = input.count(2);
    if (length > SERIES_LABELS_MAX)
      input.fail(`a series has ${length} labels, the limit is ${SERIES_LABELS_MAX}`);
    const pairs: [string, string][] = [];
    for (let k = 0; k < length; k++)
      pairs.push([texts[input.index(texts.length)]!, texts[input.index(texts.length)]!]);
    labelSets.push(labelsOf(pairs));
  }
  input.expectEnd();
  return labelSets;
}

export function encodeTexts(texts: readonly string[]): Uint8Array {
  const out = new ByteWriter();
  writeTexts(out, texts);
  return out.finish();
}

/** @throws MalformedInputError */
export function decodeTexts(bytes: Uint8Array, format: string): string[] {
  const input = new ByteReader(bytes, format);
  const texts = readTexts(input);
  input.expectEnd();
  return texts;
}

function writeTexts(out: ByteWriter, texts: readonly string[]): void {
  out.varint(texts.length);
  for (const text of texts) out.text(text);
}

function readTexts(input: ByteReader): string[] {
  const count = input.count();
  const texts: string[] = [];
  for (let i = 0; i < count; i++) texts.push(input.text(LABEL_BYTES_MAX));
  return texts;
}
