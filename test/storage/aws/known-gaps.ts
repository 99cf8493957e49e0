import assert from 'node:assert/strict';

const NOT_HIDDEN = 'neither extends nor releases what is not hidden any more';
const NO_IN_FLIGHT_CHECK =
  'ChangeMessageVisibility of a visible message goes through; SQS answers MessageNotInflight';

/** Where a stand-in is known to differ from AWS: by its name, the tests that fail for that, and why. */
export const KNOWN_GAPS: Record<string, Record<string, string>> = {
  MiniStack: { [NOT_HIDDEN]: NO_IN_FLIGHT_CHECK },
  moto: { [NOT_HIDDEN]: NO_IN_FLIGHT_CHECK },
  ElasticMQ: { [NOT_HIDDEN]: NO_IN_FLIGHT_CHECK },
};

export interface Verdict {
  adapter: string;
  standIn: string;
  gap: boolean;
}

/** Of the tests that ended as expected. */
export const verdicts: Verdict[] = [];

/**
 * Plays a test of an adapter on a stand-in. One that meets a declared gap must fail: a gap that was closed is noticed.
 * @param name of the test, without the names of adapter and stand-in
 */
export async function playOn(
  standIn: string,
  adapter: string,
  name: string,
  play: () => Promise<void>,
): Promise<void> {
  const gap = KNOWN_GAPS[standIn]?.[name];
  if (gap === undefined) await play();
  else await assert.rejects(play, `${standIn} has closed a gap: remove "${name}" (${gap})`);
  verdicts.push({ adapter, standIn, gap: gap !== undefined });
}

/** Adapters × stand-ins, as lines of text. */
export function verdictTable(standIns: string[]): string {
  const table = verdictRows(standIns);
  const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)));
  return table.map((row) => row.map((text, i) => text.padEnd(widths[i])).join('  ')).join('\n');
}

/** The same in Markdown, with versions, and below it the gaps that tests met. */
export function verdictMarkdown(standIns: { name: string; version: string }[]): string {
  const [, ...rows] = verdictRows(standIns.map(({ name }) => name));
  const header = ['adapter', ...standIns.map(({ name, version }) => `${name} ${version}`)];
  const lines = [header, header.map((_, i) => (i === 0 ? '---' : '---:')), ...rows];
  const table = lines.map((row) => `| ${row.join(' | ')} |`);
  const gaps = standIns.flatMap(({ name }) =>
    Object.entries(KNOWN_GAPS[name] ?? {}).map(([test, gap]) => `| ${name} | ${test} | ${gap} |`),
  );
  return [...table, '', '| stand-in | test that must fail there | because |', '|---|---|---|', ...gaps].join(
    '\n',
  );
}

function verdictRows(standIns: string[]): string[][] {
  const adapters = [...new Set(verdicts.map(({ adapter }) => adapter))];
  const rows = adapters.map((adapter) => [adapter, ...standIns.map((standIn) => cell(adapter, standIn))]);
  return [['passed + declared gaps', ...standIns], ...rows];
}

function cell(adapter: string, standIn: string): string {
  const of = verdicts.filter((verdict) => verdict.adapter === adapter && verdict.standIn === standIn);
  if (of.length === 0) return '-';
  const gaps = of.filter(({ gap }) => gap).length;
  return gaps === 0 ? `${of.length}` : `${of.length - gaps} + ${gaps}`;
}
