import type { Labels } from '../../core/labels/labels.ts';
import { quantity, timeText } from '../quantity.ts';
import { textTable } from '../text-table.ts';
import type { Line } from './query-source.ts';

const BAR_MAX = 40;

/** Lines as a table: one row per step, a column per line of values, and for a single line a bar. */
export function seriesText(lines: readonly Line[], unit: string, width: number): string {
  if (lines.length === 1) return singleText(lines[0]!, unit, width);
  const rows = lines.flatMap(({ labels, points }) =>
    points.map(({ timeMs, value }) => [labelsText(labels), timeText(timeMs), quantity(value, unit)]),
  );
  return textTable([{ title: 'series' }, { title: 'time' }, { title: 'value', align: 'right' }], rows, width);
}

function singleText({ labels, points }: Line, unit: string, width: number): string {
  const largest = points.reduce((most, { value }) => Math.max(most, value), 0);
  const rows = points.map(({ timeMs, value }) => [
    timeText(timeMs),
    quantity(value, unit),
    '█'.repeat(largest > 0 ? Math.round((BAR_MAX * value) / largest) : 0),
  ]);
  const title = labels.length === 0 ? '' : labelsText(labels);
  return textTable([{ title: 'time' }, { title: 'value', align: 'right' }, { title }], rows, width);
}

/** `{pod="a", zone="b"}`. */
export function labelsText(labels: Labels): string {
  return `{${labels.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(', ')}}`;
}
