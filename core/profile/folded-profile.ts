import { limitExceeded, MalformedInputError } from '../errors.ts';
import type { Labels } from '../labels/labels.ts';
import type { DatasetBuilder } from './dataset-builder.ts';
import { FrameColumn, FunctionColumn } from './symbol-table.ts';

/** A profile as folded text: one stack per line, root first, `main;handler;parse 12`. */
export interface FoldedProfile {
  readonly text: string;
  readonly labels: Labels;
  readonly batch: number;
  readonly profileType: string;
  /** Every count is multiplied by this whole number, such as the sampling period in nanoseconds. */
  readonly valueScale: number;
  readonly startMs: number;
  readonly durationMs: number;
}

/** Most frames of one line. */
export const FOLDED_DEPTH_MAX = 1024;

/** Adds folded text as one row. @throws MalformedInputError with the line, RejectedError when a line is too deep */
export function addFolded(into: DatasetBuilder, profile: FoldedProfile): void {
  const frameOf = new Map<string, number>();
  const sums = new Map<number, number>();
  let samples = 0;
  profile.text.split('\n').forEach((line, index) => {
    if (line.trim() === '') return;
    const { names, count } = parseLine(line, index + 1);
    let stack = 0;
    for (const name of names) stack = into.symbols.stacks.child(stack, frameNamed(into, frameOf, name));
    sums.set(stack, (sums.get(stack) ?? 0) + count * profile.valueScale);
    samples += count;
  });
  into.entries.begin(into.symbols.stacks.count);
  for (const [stack, value] of sums) into.entries.add(stack, value);
  into.addAccumulated(profile.profileType, {
    series: into.series.intern(profile.labels),
    start: profile.startMs,
    duration: Math.max(1, profile.durationMs),
    batch: profile.batch,
    samples,
  });
}

function parseLine(line: string, number: number): { names: string[]; count: number } {
  const match = /^(.*) (\d{1,15})\s*$/.exec(line);
  if (match === null) {
    throw new MalformedInputError(
      'folded',
      `line ${number} must be frames joined by ";", a blank and a whole number`,
    );
  }
  const names = match[1]!.split(';');
  if (names.length > FOLDED_DEPTH_MAX) {
    throw limitExceeded({ name: 'FOLDED_DEPTH_MAX', value: FOLDED_DEPTH_MAX, unit: 'frames' }, names.length);
  }
  return { names, count: Number(match[2]) };
}

function frameNamed(into: DatasetBuilder, known: Map<string, number>, name: string): number {
  let frame = known.get(name);
  if (frame === undefined) {
    const func = new Uint32Array(FunctionColumn.width);
    func[FunctionColumn.name] = into.symbols.strings.internText(name);
    const row = new Uint32Array(FrameColumn.width);
    row[FrameColumn.func] = into.symbols.functions.intern(func);
    frame = into.symbols.frames.intern(row);
    known.set(name, frame);
  }
  return frame;
}
