import type { AttributeValue } from '@aws-sdk/client-dynamodb';

export type Item = Record<string, AttributeValue>;

/** What an item of ours holds: flat fields. Undefined ones are left out. */
export type Fields = Record<string, string | number | Uint8Array | undefined>;

/** The item of these fields. Numbers become decimal text, as the wire wants them; safe integers keep every digit. */
export function toItem(fields: Fields): Item {
  const item: Item = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) item[name] = toValue(value);
  }
  return item;
}

export function toValue(value: string | number | Uint8Array): AttributeValue {
  if (typeof value === 'string') return { S: value };
  if (typeof value === 'number') return { N: String(value) };
  return { B: value };
}

/** A text field, '' when it is absent. */
export function text(item: Item, name: string): string {
  return item[name]?.S ?? '';
}

/** A number field, or undefined when it is absent. */
export function optionalNumber(item: Item, name: string): number | undefined {
  const digits = item[name]?.N;
  return digits === undefined ? undefined : Number(digits);
}

/** A number field, 0 when it is absent. */
export function number(item: Item, name: string): number {
  return optionalNumber(item, name) ?? 0;
}

/** A binary field, empty when it is absent. */
export function binary(item: Item, name: string): Uint8Array {
  return item[name]?.B ?? new Uint8Array();
}
