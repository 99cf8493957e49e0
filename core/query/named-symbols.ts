import { FrameKind } from '../flamegraph/call-tree.ts';
import { StringTable } from '../profile/string-table.ts';
import {
  FRAME_KIND_SHIFT,
  FrameColumn,
  FunctionColumn,
  MappingColumn,
  type Stacks,
  type Symbols,
} from '../profile/symbol-table.ts';
import { TupleTable } from '../profile/tuple-table.ts';

/** What frames are shown as, by number; number 0 is not used. */
export interface NumberedNames {
  readonly texts: readonly string[];
  readonly kinds: readonly number[];
  readonly modules: readonly string[];
}

/**
 * The symbols of stacks whose frames are numbers of names: frame i is a function of that name in a binary of that module,
 * without address and line, so that `frameName` makes of it what it was. Far fewer than the frames they were made of.
 */
export function namedSymbols(names: NumberedNames, stacks: Stacks): Symbols {
  const count = names.texts.length;
  const strings = new StringTable();
  const mappings = new TupleTable(MappingColumn.width, 8);
  const mapping = new Uint32Array(MappingColumn.width);
  const functions = new Uint32Array(count * FunctionColumn.width);
  const frames = new Uint32Array(count * FrameColumn.width);
  for (let name = 1; name < count; name++) {
    // Of those nothing is known, which is what a row of zeros says.
    if (names.kinds[name] === FrameKind.unknown) continue;
    functions[name * FunctionColumn.width + FunctionColumn.name] = strings.internText(names.texts[name]!);
    mapping[MappingColumn.filename] = strings.internText(names.modules[name]!);
    const at = name * FrameColumn.width;
    frames[at + FrameColumn.func] = name;
    frames[at + FrameColumn.mapping] = mappings.intern(mapping);
    frames[at + FrameColumn.flags] = names.kinds[name]! << FRAME_KIND_SHIFT;
  }
  return {
    strings,
    functions: { width: FunctionColumn.width, count, rows: functions },
    mappings,
    frames: { width: FrameColumn.width, count, rows: frames },
    stacks,
  };
}
