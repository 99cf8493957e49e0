/** What was asked, as options with their values; undefined ones and secrets are left out. */
export type AskedOptions = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

/**
 * The command that goes on where a cut answer ends: the same question about [start, before), ms. It names no token, and
 * a file beside the one that was written.
 */
export function continueCommand(
  words: readonly string[],
  { token: _secret, file, ...asked }: AskedOptions,
  start: number,
  before: number,
): string {
  const range = { from: new Date(start).toISOString(), until: new Date(before).toISOString() };
  const other = typeof file === 'string' ? { file: `${file}.older` } : {};
  const options = Object.entries({ ...asked, ...range, ...other }).flatMap(([name, value]) =>
    [value].flat().flatMap((one) => (typeof one === 'string' ? [`--${name}`, quoted(one)] : [])),
  );
  return ['cinderblock query', ...words.map(quoted), ...options].join(' ');
}

/** One word of a POSIX shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
