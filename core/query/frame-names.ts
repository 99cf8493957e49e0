import { FrameKind } from '../flamegraph/call-tree.ts';
import {
  FRAME_KIND_SHIFT,
  FrameColumn,
  FunctionColumn,
  MappingColumn,
  type Symbols,
} from '../profile/symbol-table.ts';

/** How one frame is shown: functions that print alike are one name. */
export interface FrameName {
  readonly text: string;
  readonly kind: FrameKind;
  readonly module: string;
}

/** The function's name; without one, the binary and the address in it, so that unnamed code can still be told apart. */
export function frameName(symbols: Symbols, frame: number): FrameName {
  const { rows } = symbols.frames;
  const at = frame * FrameColumn.width;
  const func = rows[at + FrameColumn.func]! * FunctionColumn.width;
  const mapping = rows[at + FrameColumn.mapping]! * MappingColumn.width;
  const binary = symbols.strings.text(symbols.mappings.rows[mapping + MappingColumn.filename]!);
  const functions = symbols.functions.rows;
  const name = functions[func + FunctionColumn.name]! || functions[func + FunctionColumn.systemName]!;
  const module =
    baseName(binary) || baseName(symbols.strings.text(functions[func + FunctionColumn.filename]!));
  const kind = kindOf(rows[at + FrameColumn.flags]! >>> FRAME_KIND_SHIFT, binary, name !== 0);
  if (name !== 0) return { text: symbols.strings.text(name), kind, module };
  if (binary === '') return { text: '[unknown]', kind: FrameKind.unknown, module: '' };
  const address =
    (BigInt(rows[at + FrameColumn.addressHigh]!) << 32n) | BigInt(rows[at + FrameColumn.addressLow]!);
  return { text: `${module}+0x${address.toString(16)}`, kind, module };
}

function kindOf(stored: number, binary: string, named: boolean): FrameKind {
  if (stored > 0 && stored <= FrameKind.marker) return stored as FrameKind;
  if (binary.startsWith('[kernel')) return FrameKind.kernel;
  if (binary !== '') return FrameKind.native;
  return named ? FrameKind.interpreted : FrameKind.unknown;
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
