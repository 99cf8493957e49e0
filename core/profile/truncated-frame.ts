import { FrameKind } from '../flamegraph/call-tree.ts';
import { FRAME_KIND_SHIFT, FrameColumn, FunctionColumn, type SymbolTable } from './symbol-table.ts';

/** Leaf that stands for the frames that were cut from a stack which was too deep. */
export const TRUNCATED_NAME = '[truncated]';

/** The frame of that leaf. */
export function truncatedFrame({ strings, functions, frames }: SymbolTable): number {
  const func = new Uint32Array(FunctionColumn.width);
  func[FunctionColumn.name] = strings.internText(TRUNCATED_NAME);
  const frame = new Uint32Array(FrameColumn.width);
  frame[FrameColumn.func] = functions.intern(func);
  frame[FrameColumn.flags] = FrameKind.marker << FRAME_KIND_SHIFT;
  return frames.intern(frame);
}
