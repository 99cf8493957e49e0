import type { ExpectedLoss } from './expected-loss.ts';
import type { ExpectedRetention } from './expected-retention.ts';
import type { ExpectedSums } from './expected-sums.ts';
import type { Figures } from './figures.ts';
import type { SimulatedFleet } from './simulated-fleet.ts';
import type { SimulatedHub } from './simulated-hub.ts';

/** What the parts of a simulated year share: a fleet, its hub, and what that hub must know by now. */
export interface YearState {
  readonly hub: SimulatedHub;
  readonly fleet: SimulatedFleet;
  readonly sums: ExpectedSums;
  readonly retention: ExpectedRetention;
  readonly loss: ExpectedLoss;
  readonly figures: Figures;
  readonly random: () => number;
  /** Services whose stacks are known one by one. */
  readonly sampled: readonly string[];
  /** Blocks whose objects are gone or damaged just now. */
  readonly damaged: Set<string>;
  /** Starts of hours whose blocks hold some services of their batches only. */
  readonly splitHours: Set<number>;
  /** Whether all that came is stored, but for what lies among dead letters. */
  readonly isDrained: () => Promise<boolean>;
}
