import { flameHeight, levelTop, planFlame } from '../../../core/flamegraph/plan.ts';
import { shortenName } from '../state/frame-name.ts';
import { type FlameChartState, ROW_HEIGHT } from './flame-chart.ts';

const WIDTH = 1400;
const CHAR_WIDTH = 7.2;
/** Deeper levels are left out: a picture of 20,000 rows helps nobody. */
const MAX_LEVELS = 400;

/** The whole depth of what is zoomed to as an SVG document with a <title> per frame. */
export function flameSvg(state: FlameChartState, describe: (row: number) => string): string {
  const { layout, palette, zoomRow } = state;
  const whole = layout.width[0];
  const height = Math.min(flameHeight(layout, ROW_HEIGHT), MAX_LEVELS * ROW_HEIGHT);
  const view = {
    x0: zoomRow > 0 ? layout.start[zoomRow] / whole : 0,
    x1: zoomRow > 0 ? (layout.start[zoomRow] + layout.width[zoomRow]) / whole : 1,
    width: WIDTH,
    height,
    scrollTop: state.flipped ? flameHeight(layout, ROW_HEIGHT) - height : 0,
    rowHeight: ROW_HEIGHT,
    flipped: state.flipped,
  };
  const plan = planFlame(layout, view);
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="monospace" font-size="12">`,
    `<rect width="100%" height="100%" fill="${palette.background}"/>`,
  ];
  for (let i = 0; i < plan.count; i++) {
    const row = plan.row[i];
    const name = layout.tree.nameOf[row];
    const isMatch = state.matched?.[name] === 1;
    const color = state.colors[state.colorsBy === 'name' ? name : row];
    const fill = plan.merged[i] ? palette.run : isMatch ? palette.match : palette.fills[color];
    const x = plan.x[i];
    const y = levelTop(layout, view, plan.level[i]);
    const width = Math.max(0.3, plan.width[i] - (plan.width[i] > 2 ? 0.8 : 0));
    const title = plan.merged[i] ? '' : `<title>${escapeXml(describe(row))}</title>`;
    const box = `<rect x="${round(x)}" y="${y}" width="${round(width)}" height="${ROW_HEIGHT - 1}" fill="${fill}">${title}</rect>`;
    const columns = Math.floor((plan.width[i] - 8) / CHAR_WIDTH);
    const label = plan.merged[i] ? '' : shortenName(layout.tree.names[name], columns);
    const text =
      label === ''
        ? ''
        : `<text x="${round(x + 4)}" y="${y + 13}" fill="${palette.text}">${escapeXml(label)}</text>`;
    lines.push(box + text);
  }
  lines.push('</svg>');
  return lines.join('\n');
}

function round(value: number): string {
  return value.toFixed(2);
}

export function escapeXml(text: string): string {
  const escaped = text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
  // Control characters have no place in XML, escaped or not.
  return escaped.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd');
}
