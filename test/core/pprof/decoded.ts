import { labelsKey } from '../../../core/labels/labels.ts';
import { addPprof, type PprofOptions, type PprofSummary } from '../../../core/pprof/decode-pprof.ts';
import { DEFAULT_PPROF_LIMITS } from '../../../core/pprof/pprof-limits.ts';
import { DatasetBuilder } from '../../../core/profile/dataset-builder.ts';
import { exactTotal } from '../../../core/profile/profile-rows.ts';
import {
  FRAME_KIND_SHIFT,
  FrameColumn,
  FunctionColumn,
  MappingColumn,
  type Symbols,
} from '../../../core/profile/symbol-table.ts';

export const NOW = 1_700_000_000_000;

export const OPTIONS: PprofOptions = {
  labels: [['service_name', 'shop']],
  profileName: () => 'test',
  batch: 0,
  now: NOW,
  limits: DEFAULT_PPROF_LIMITS,
  keepAddresses: 'all',
};

export interface Decoded {
  readonly dataset: DatasetBuilder;
  readonly summary: PprofSummary;
}

export function decode(raw: Uint8Array, options: Partial<PprofOptions> = {}): Decoded {
  const dataset = new DatasetBuilder('shop');
  const summary = addPprof(dataset, raw, { ...OPTIONS, ...options });
  return { dataset, summary };
}

/** A stack in text, root first, inlined callees after "+": "main;serve+check". */
export function stackText(symbols: Symbols, stack: number): string {
  const frames: string[] = [];
  for (let at = stack; at !== 0; at = symbols.stacks.parents[at]!)
    frames.push(frameText(symbols, symbols.stacks.frames[at]!));
  return frames.reverse().join('').slice(1);
}

function frameText({ strings, functions, mappings, frames }: Symbols, frame: number): string {
  const at = (column: number) => frames.rows[frame * frames.width + column]!;
  const func = at(FrameColumn.func) * functions.width;
  const mapping = at(FrameColumn.mapping) * mappings.width;
  const flags = at(FrameColumn.flags);
  const address = (BigInt(at(FrameColumn.addressHigh)) << 32n) | BigInt(at(FrameColumn.addressLow));
  const file = strings.text(mappings.rows[mapping + MappingColumn.filename]!);
  return [
    flags & 1 ? '+' : ';',
    strings.text(functions.rows[func + FunctionColumn.name]!),
    at(FrameColumn.line) ? `:${at(FrameColumn.line)}` : '',
    file ? `(${file})` : '',
    address ? `@${address.toString(16)}` : '',
    flags & 2 ? '!folded' : '',
    flags >>> FRAME_KIND_SHIFT ? `!kind${flags >>> FRAME_KIND_SHIFT}` : '',
  ].join('');
}

/** Everything that was decoded, in text, independent of the order of tables: for comparing. */
export function contentOf({
  symbols,
  types,
  labelSets,
}: DatasetBuilder): Record<string, Record<string, bigint>> {
  const content: Record<string, Record<string, bigint>> = {};
  for (const [type, rows] of types) {
    for (let row = 0; row < rows.count; row++) {
      const labels = labelsKey(labelSets[rows.series[row]!]!.filter(([name]) => name !== 'service_name'));
      const key = `${type}{${labels.replaceAll('\0', '=').replaceAll('\x01', ',')}}`;
      const stacks = (content[key] ??= {});
      for (let i = rows.entryStarts[row]!; i < rows.entryStarts[row + 1]!; i++) {
        const stack = stackText(symbols, rows.stacks[i]!);
        stacks[stack] = (stacks[stack] ?? 0n) + BigInt(rows.values[i]!) * BigInt(rows.scale[row]!);
      }
    }
  }
  return content;
}

export function totalsOf({ types }: DatasetBuilder): Record<string, bigint> {
  return Object.fromEntries([...types].map(([type, rows]) => [type, exactTotal(rows)]));
}
