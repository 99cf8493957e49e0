/** One figure. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The same thing done by something else in the same run, in the same unit. */
  readonly peer?: { readonly name: string; readonly value: number };
  /** What is promised: at least, or at most. */
  readonly target?: { readonly least: number } | { readonly most: number };
  readonly note?: string;
}

/** Facts about the machine that a figure means little without. */
export interface Machine {
  readonly cpu: string;
  readonly cpus: number;
  readonly memoryGiB: number;
  readonly node: string;
  readonly date: string;
}

/** Collects the figures of all benchmarks and prints them as tables. */
export class Report {
  readonly #sections: { readonly title: string; readonly figures: Figure[] }[] = [];

  /** Starts a table; figures go to the last one. */
  section(title: string): void {
    this.#sections.push({ title, figures: [] });
  }

  add(figure: Figure): void {
    if (this.#sections.length === 0) this.section('Figures');
    this.#sections.at(-1)!.figures.push(figure);
  }

  /** Figures that miss their target. */
  missed(): Figure[] {
    return this.#sections.flatMap(({ figures }) =>
      figures.filter((figure) => verdictOf(figure) === 'missed'),
    );
  }

  toMarkdown({ cpu, cpus, memoryGiB, node, date }: Machine): string {
    const lines = [
      '# Benchmarks',
      '',
      `Written by \`npm run bench\` on ${date}: ${cpus} × ${cpu}, ${memoryGiB} GiB, Node.js ${node}.`,
      'Times are of this machine; what carries over is the ratio to the peer that ran beside it.',
      '',
    ];
    for (const { title, figures } of this.#sections) {
      const rows = [HEADER, ...figures.map(rowOf)];
      lines.push(`## ${title}`, '', ...aligned(rows), '');
    }
    return `${lines.join('\n')}\n`;
  }
}

const HEADER = ['what', 'figure', 'unit', 'peer', 'ratio', 'target', 'note'];

function rowOf(figure: Figure): string[] {
  const { name, value, unit, peer, note = '' } = figure;
  return [
    name,
    numberText(value),
    unit,
    peer === undefined ? '' : `${numberText(peer.value)} ${peer.name}`,
    peer === undefined ? '' : `${ratioText(value, peer.value)}`,
    targetText(figure),
    note,
  ];
}

/** How many times the larger is the smaller, and whose is the larger. */
function ratioText(own: number, peer: number): string {
  return own <= peer ? `${(peer / own).toFixed(1)}× less` : `${(own / peer).toFixed(1)}× more`;
}

function targetText(figure: Figure): string {
  const { target } = figure;
  if (target === undefined) return '';
  const bound = 'least' in target ? `≥ ${numberText(target.least)}` : `≤ ${numberText(target.most)}`;
  return `${bound}, ${verdictOf(figure)}`;
}

function verdictOf({ value, target }: Figure): 'met' | 'missed' | 'none' {
  if (target === undefined) return 'none';
  return ('least' in target ? value >= target.least : value <= target.most) ? 'met' : 'missed';
}

/** Three significant digits, whole numbers whole. */
function numberText(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 1000)
    return value.toLocaleString('en-US', { maximumFractionDigits: 0 });
  return String(Number(value.toPrecision(3)));
}

/** A Markdown table whose columns line up; the second column, the figure, to the right. */
function aligned(rows: readonly string[][]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(3, ...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => (column === 1 ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!))).join(' | ')} |`;
  const rule = `|${widths.map((width, column) => '-'.repeat(width + 1) + (column === 1 ? ':' : '-')).join('|')}|`;
  return [line(rows[0]!), rule, ...rows.slice(1).map(line)];
}
