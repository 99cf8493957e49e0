/** One dimension of a series. */
export type Label = readonly [name: string, value: string];

/** A label set: sorted by name (code unit order), each name once, no empty value. Treat as immutable. */
export type Labels = readonly Label[];

/** Label that names the service; every series has it, and a dataset holds one value of it. */
export const SERVICE_NAME = 'service_name';
/** Label that names the cluster; the hub sets it from the verified identity of the sender. */
export const CLUSTER = 'cluster';
/** Service of series that did not say. */
export const UNKNOWN_SERVICE = 'unknown_service';

/** Builds a label set: sorts, drops empty values; of two labels with one name the last wins. */
export function labelsOf(pairs: Iterable<readonly [string, string]>): Labels {
  const byName = new Map<string, string>();
  for (const [name, value] of pairs) {
    if (value === '') byName.delete(name);
    else byName.set(name, value);
  }
  return [...byName].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** The value of a label, or "" when the set does not have it. */
export function labelValue(labels: Labels, name: string): string {
  for (const label of labels) if (label[0] === name) return label[1];
  return '';
}

/** One text per distinct label set. U+0000 and U+0001 keep ("a","b=c") and ("a=b","c") apart. */
export function labelsKey(labels: Labels): string {
  let key = '';
  for (const [name, value] of labels) key += `${name}\u0000${value}\u0001`;
  return key;
}
