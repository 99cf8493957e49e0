/** One line of the bill. */
export interface CostComponent {
  readonly name: string;
  /** US dollars a month. */
  readonly usd: number;
  /** What it is made of. */
  readonly basis: string;
  /** Whether it grows with batches, rather than with nodes or queries, or not at all. */
  readonly perBatch: boolean;
}

/** A line that grows with batches. */
export function perBatch(name: string, usd: number, basis: string): CostComponent {
  return { name, usd, basis, perBatch: true };
}

/** To three digits. */
export function round(value: number): number {
  return Number(value.toPrecision(3));
}
