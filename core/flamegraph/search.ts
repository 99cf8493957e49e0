import type { CallTree } from './call-tree.ts';

/** A search text is a regular expression; without upper-case letters it ignores case. */
export type SearchPattern = { ok: true; regex: RegExp } | { ok: false; message: string };

export function compileSearch(text: string): SearchPattern {
  try {
    return { ok: true, regex: new RegExp(text, /\p{Lu}/u.test(text.replace(/\\./g, '')) ? 'u' : 'iu') };
  } catch (error) {
    return { ok: false, message: error instanceof Error ? plainMessage(error.message) : String(error) };
  }
}

/** "Invalid regular expression: /(/u: Unterminated group" → "Unterminated group". */
function plainMessage(message: string): string {
  return message.replace(/^Invalid regular expression: \/.*\/\w*: /s, '');
}

/** Per name: 1 where the pattern is found. It runs over names, never over nodes. The root never matches. */
export function matchNames(tree: CallTree, regex: RegExp): Uint8Array {
  const matched = new Uint8Array(tree.names.length);
  for (let name = 1; name < matched.length; name++) matched[name] = regex.test(tree.names[name]) ? 1 : 0;
  return matched;
}

export interface MatchSummary {
  /** Value of the samples with a match anywhere on their stack, each counted once, in units of the tree's scale. */
  value: number;
  /** Rows that match. */
  rows: number;
  /** Names that match. */
  names: number;
}

/** The base for a share of `value` is the whole tree: it stays 100 % whatever is searched. */
export function summarizeMatches(tree: CallTree, matched: Uint8Array, total = tree.total): MatchSummary {
  let value = 0;
  let rows = 0;
  let countedTo = 0;
  for (let row = 1; row < tree.nameOf.length; row++) {
    if (!matched[tree.nameOf[row]]) continue;
    rows++;
    if (row < countedTo) continue;
    value += total[row];
    countedTo = tree.end[row];
  }
  let names = 0;
  for (const hit of matched) names += hit;
  return { value, rows, names };
}
