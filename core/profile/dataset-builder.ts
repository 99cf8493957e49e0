import type { Labels } from '../labels/labels.ts';
import { EntryAccumulator } from './entry-accumulator.ts';
import { type ProfileRows, ProfileRowsBuilder, type RowHead } from './profile-rows.ts';
import { SeriesTable } from './series-table.ts';
import { type Symbols, SymbolTable } from './symbol-table.ts';

/** One service's profiles, as decoded from a block or a foreign format. */
export interface Dataset {
  readonly service: string;
  readonly symbols: Symbols;
  readonly labelSets: readonly Labels[];
  /** Rows by profile type id. */
  readonly types: ReadonlyMap<string, ProfileRows>;
}

/** One service's profiles, being gathered. Everything that is decoded, merged or compacted ends up in one of these. */
export class DatasetBuilder implements Dataset {
  readonly service: string;
  readonly symbols = new SymbolTable();
  readonly series = new SeriesTable();
  readonly types = new Map<string, ProfileRowsBuilder>();
  /** Scratch for the row being added. Use: begin(stackCount), add(stack, value)…, then addAccumulated(). */
  readonly entries = new EntryAccumulator();

  constructor(service: string) {
    this.service = service;
  }

  get labelSets(): readonly Labels[] {
    return this.series.labelSets;
  }

  rowsOf(profileType: string): ProfileRowsBuilder {
    let rows = this.types.get(profileType);
    if (rows === undefined) this.types.set(profileType, (rows = new ProfileRowsBuilder()));
    return rows;
  }

  /** Adds what `entries` has gathered as one row. A row without values is not kept. */
  addAccumulated(profileType: string, head: RowHead): void {
    const { entries } = this;
    entries.finish();
    if (entries.length === 0) return;
    this.rowsOf(profileType).add(
      head,
      entries.scale,
      entries.total,
      entries.stacks,
      entries.values,
      entries.length,
    );
  }

  /**
   * Adds all of another dataset of the same service. `batchOf[i]` is where its batch i is in the table that this
   * dataset's rows refer to. Rows for which `skip` answers true are left out.
   */
  addDataset(
    from: Dataset,
    batchOf: Uint32Array,
    skip?: (profileType: string, rows: ProfileRows, row: number) => boolean,
  ): void {
    const stackOf = this.symbols.addAll(from.symbols);
    const seriesOf = from.labelSets.map((labels) => this.series.intern(labels));
    const moved = { stackOf, isAscending: isAscending(stackOf), seriesOf, batchOf };
    for (const [profileType, rows] of from.types) {
      for (let row = 0; row < rows.count; row++) {
        if (skip?.(profileType, rows, row)) continue;
        this.#addRow(profileType, rows, row, moved);
      }
    }
  }

  /**
   * Values, scale and total stay as they are. Entries are sorted again, unless all stacks kept their order, as those of
   * the first dataset do that is added.
   */
  #addRow(
    profileType: string,
    rows: ProfileRows,
    row: number,
    moved: { stackOf: Uint32Array; isAscending: boolean; seriesOf: number[]; batchOf: Uint32Array },
  ): void {
    const head: RowHead = {
      series: moved.seriesOf[rows.series[row]!]!,
      start: rows.start[row]!,
      duration: rows.duration[row]!,
      batch: moved.batchOf[rows.batch[row]!]!,
      samples: rows.samples[row]!,
    };
    const { entries } = this;
    const from = rows.entryStarts[row]!;
    const end = rows.entryStarts[row + 1]!;
    const into = this.rowsOf(profileType);
    if (moved.isAscending) {
      const stacks = rows.stacks.slice(from, end);
      for (let i = 0; i < stacks.length; i++) stacks[i] = moved.stackOf[stacks[i]!]!;
      into.add(head, rows.scale[row]!, rows.total[row]!, stacks, rows.values.subarray(from, end), end - from);
      return;
    }
    entries.begin(this.symbols.stacks.count);
    entries.addMoved(moved.stackOf, rows, from, end);
    entries.sortOnly();
    into.add(head, rows.scale[row]!, rows.total[row]!, entries.stacks, entries.values, entries.length);
  }
}

function isAscending(numbers: Uint32Array): boolean {
  for (let i = 1; i < numbers.length; i++) if (numbers[i]! <= numbers[i - 1]!) return false;
  return true;
}
