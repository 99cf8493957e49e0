import { limitExceeded } from '../errors.ts';
import type { CallTree } from './call-tree.ts';

/** Most frame references an export may hold: every stack is written out in full. */
export const SPEEDSCOPE_MAX_FRAMES = { name: 'speedscope_max_frames', value: 50_000_000, unit: 'frames' };

/** Speedscope knows these units; any other is written as "none". */
const SPEEDSCOPE_UNITS = new Set(['nanoseconds', 'microseconds', 'milliseconds', 'seconds', 'bytes']);

export interface SpeedscopeOptions {
  /** Name of the profile, shown as its title. */
  name: string;
  /** Written as the tool that made the file. */
  exporter?: string;
}

/**
 * The tree as a "sampled" profile of speedscope's file format 1 (https://www.speedscope.app/file-format-schema.json),
 * in pieces of JSON text. Values pass through a JSON number, so they are exact up to 2^53.
 * @throws RejectedError when the stacks together pass SPEEDSCOPE_MAX_FRAMES.
 */
export function* speedscopeText(tree: CallTree, options: SpeedscopeOptions): Generator<string> {
  checkSize(tree);
  const unit = SPEEDSCOPE_UNITS.has(tree.unit) ? tree.unit : 'none';
  const weight = (value: number) => value * tree.scale;
  const frames = tree.names.slice(1).map((name, i) => {
    const module = tree.modules[tree.moduleOf[i + 1]];
    return module === '' ? { name } : { name, file: module };
  });
  const head = {
    $schema: 'https://www.speedscope.app/file-format-schema.json',
    name: options.name,
    activeProfileIndex: 0,
    exporter: options.exporter ?? 'cinderblock',
    shared: { frames },
  };
  yield `${JSON.stringify(head).slice(0, -1)},"profiles":[{"type":"sampled","name":${JSON.stringify(options.name)},`;
  yield `"unit":"${unit}","startValue":0,"endValue":${weight(tree.total[0])},"samples":[`;
  yield* samples(tree);
  yield '],"weights":[';
  yield* weights(tree, weight);
  yield ']}]}\n';
}

/** One array of frame indices per row with samples, root first. */
function* samples(tree: CallTree): Generator<string> {
  const stack: number[] = [];
  let piece = '';
  let first = true;
  for (let row = 0; row < tree.nameOf.length; row++) {
    stack.length = Math.max(0, tree.level[row] - 1);
    if (row > 0) stack.push(tree.nameOf[row] - 1);
    if (tree.self[row] === 0) continue;
    piece += `${first ? '' : ','}[${stack.join(',')}]`;
    first = false;
    if (piece.length < 65_536) continue;
    yield piece;
    piece = '';
  }
  yield piece;
}

function* weights(tree: CallTree, weight: (value: number) => number): Generator<string> {
  let piece: number[] = [];
  let first = true;
  for (const value of tree.self) {
    if (value === 0) continue;
    piece.push(weight(value));
    if (piece.length < 8192) continue;
    yield `${first ? '' : ','}${piece.join(',')}`;
    first = false;
    piece = [];
  }
  if (piece.length > 0) yield `${first ? '' : ','}${piece.join(',')}`;
}

function checkSize(tree: CallTree): void {
  let frames = 0;
  for (let row = 0; row < tree.self.length; row++) if (tree.self[row] !== 0) frames += tree.level[row];
  if (frames > SPEEDSCOPE_MAX_FRAMES.value) throw limitExceeded(SPEEDSCOPE_MAX_FRAMES, frames);
}
