import { RejectedError } from '../errors.ts';
import { CLUSTER, SERVICE_NAME } from '../labels/labels.ts';

const MIB = 1024 * 1024;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** One time step that blocks are downsampled to. */
export interface ResolutionRule {
  /** Time step; each is a multiple of the one before. */
  readonly seconds: number;
  /** Made as soon as an hour is closed, or once a day is sealed. */
  readonly from: 'close' | 'seal';
  /** Blocks of so long a range, ms, become one once it is sealed; 0 = they stay apart. */
  readonly joinMs: number;
  /**
   * Labels that series lose from this resolution on, so that those that differ in them alone become one. Coarser
   * resolutions lose them too. Absent = none.
   */
  readonly rollUp?: readonly string[];
}

/** What planning goes by. Every number can be set by whoever runs a hub. */
export interface CompactionRules {
  /** Blocks of one level that are merged into one of the next while their hour is young. */
  readonly fanIn: number;
  /** Highest level that blocks of a young hour are merged to. */
  readonly levelMax: number;
  /** An hour is closed this long after its end, ms. */
  readonly closeAfterMs: number;
  /** A day is sealed this long after its end, ms: later than any batch of it can come, or come again. */
  readonly sealAfterMs: number;
  /** Most blocks that one job takes out of the catalog. What it adds must fit the same transaction. */
  readonly blocksMax: number;
  /** Most stored bytes of one job's inputs: bounds its time. */
  readonly bytesMax: number;
  /** A raw block of the output is ended behind the dataset that passes this many bytes: bounds memory. */
  readonly partBytesMax: number;
  /** Most unfolded bytes of inputs that become one dataset of the output: bounds memory. */
  readonly datasetBytesMax: number;
  /** Closed blocks up to this many bytes are merged again with what comes late; larger ones stay. */
  readonly rejoinBytesMax: number;
  /** Finest first. */
  readonly resolutions: readonly ResolutionRule[];
}

export const DEFAULT_COMPACTION_RULES: CompactionRules = {
  fanIn: 12,
  levelMax: 9,
  closeAfterMs: 900_000,
  // Windows may be 72 h old when they are sent, and then wait in the queue.
  sealAfterMs: 84 * HOUR_MS,
  blocksMax: 72,
  bytesMax: 320 * MIB,
  partBytesMax: 64 * MIB,
  datasetBytesMax: 96 * MIB,
  rejoinBytesMax: 32 * MIB,
  resolutions: [
    { seconds: 300, from: 'close', joinMs: 0 },
    { seconds: 3600, from: 'close', joinMs: 0 },
    { seconds: 86_400, from: 'seal', joinMs: 32 * DAY_MS },
  ],
};

/** From which resolution on labels are rolled up when whoever runs a hub names them alone, seconds. */
const ROLL_UP_FROM_SECONDS = 3600;

/** The rules with labels rolled up from 1 h on. */
export function withRollUp(rules: CompactionRules, labels: readonly string[]): CompactionRules {
  if (labels.length === 0) return rules;
  const resolutions = rules.resolutions.map((rule) =>
    rule.seconds < ROLL_UP_FROM_SECONDS ? rule : { ...rule, rollUp: labels },
  );
  return { ...rules, resolutions };
}

/**
 * The labels that a setting lists, separated by commas.
 * @throws RejectedError('invalid') that names the label and why it cannot be rolled up
 */
export function parseRollUpLabels(text: string): string[] {
  const labels = text
    .split(',')
    .map((label) => label.trim())
    .filter((label) => label !== '');
  for (const label of labels) {
    const problem = rollUpProblem(label);
    if (problem !== undefined) throw new RejectedError('invalid', problem);
  }
  return [...new Set(labels)];
}

/** Labels that are rolled up at a resolution, sorted: its own, and those of all finer ones. */
export function rollUpAt({ resolutions }: Pick<CompactionRules, 'resolutions'>, seconds: number): string[] {
  const finer = resolutions.filter((rule) => rule.seconds <= seconds);
  return [...new Set(finer.flatMap(({ rollUp = [] }) => rollUp))].sort();
}

/** Why a label cannot be rolled up; absent when it can. */
export function rollUpProblem(label: string): string | undefined {
  if (label === SERVICE_NAME || label === CLUSTER)
    return `${label} cannot be rolled up: blocks are found, kept and deleted by it`;
  if (label === '' || !label.isWellFormed()) return `${JSON.stringify(label)} is not the name of a label`;
  return undefined;
}

/**
 * @param lateWindowMs how old windows may be that the hub takes
 * @throws RejectedError('invalid') when blocks could not be planned, or data not be told apart, by these rules
 */
export function checkCompactionRules(rules: CompactionRules, lateWindowMs: number): void {
  const problem = problemOf(rules, lateWindowMs);
  if (problem !== undefined) throw new RejectedError('invalid', `compaction: ${problem}`);
}

function problemOf(
  { resolutions, sealAfterMs, blocksMax, fanIn }: CompactionRules,
  lateWindowMs: number,
): string | undefined {
  if (!resolutions.some(({ from }) => from === 'close'))
    return 'no resolution is made when an hour is closed; a closed hour is known by having one';
  for (const [i, { seconds, rollUp = [] }] of resolutions.entries()) {
    const finer = resolutions[i - 1]?.seconds ?? 1;
    if (!Number.isInteger(seconds) || seconds <= 1 || seconds % finer !== 0 || seconds === finer)
      return `resolution ${seconds} s is not a multiple of ${finer} s; steps would be split`;
    if (86_400 % seconds !== 0) return `resolution ${seconds} s does not divide a day`;
    const problem = rollUp.map(rollUpProblem).find((found) => found !== undefined);
    if (problem !== undefined) return problem;
  }
  if (sealAfterMs < lateWindowMs)
    return `sealAfterMs is ${sealAfterMs}, lateWindowMs ${lateWindowMs}: batch ids would be shed while batches can come again`;
  if (fanIn < 2 || blocksMax < fanIn) return `fanIn is ${fanIn}, blocksMax ${blocksMax}`;
  return undefined;
}
