import { MalformedInputError } from '../../core/errors.ts';
import type { WindowStatus } from '../batch-builder.ts';

/** Which engine takes the samples. */
export type EngineName = 'perf' | 'node';

export type Log = (level: 'info' | 'warn' | 'error', message: string) => void;

/** How an engine does, besides its samples. */
export interface EngineCondition {
  /** CPU that it used in the last window, percent of one core. */
  readonly cpuPercent: number;
  readonly rssBytes: number;
  /** Names that were wanted and not yet found. */
  readonly pendingSymbols: number;
  /** Samples, since its start: stacks that ended at their root, that were cut, that no process was found for. */
  readonly rooted: number;
  readonly truncated: number;
  readonly unattributed: number;
  readonly throttled: number;
}

export const restingCondition: EngineCondition = {
  cpuPercent: 0,
  rssBytes: 0,
  pendingSymbols: 0,
  rooted: 0,
  truncated: 0,
  unattributed: 0,
  throttled: 0,
};

/** What an engine reports. Profiles of a window come before its close. */
export interface EngineEvents {
  /** OTLP ProfilesData of the open window. */
  profiles(bytes: Uint8Array): void;
  /** The window is over; undefined when the engine died within it. */
  windowClosed(status: WindowStatus | undefined): void;
  /** It started; by the pid its own samples are told from others. */
  started(pid: number): void;
}

export interface Engine {
  readonly name: EngineName;
  readonly condition: EngineCondition;
  /** How often it ended by itself. */
  readonly crashes: number;
  start(): void;
  /** Ends it; its last, partial window comes before this resolves. */
  stop(): Promise<void>;
}

/** Status frame of an engine: JSON. @throws MalformedInputError */
export function parseStatus(payload: Uint8Array): WindowStatus & Record<string, number> {
  const status = parseJson(payload);
  for (const name of ['windowStartMs', 'windowEndMs', 'taken', 'lost']) {
    if (!isCount(status[name])) throw new MalformedInputError('engine status', `${name} is not a count`);
  }
  return status as unknown as WindowStatus & Record<string, number>;
}

/** @throws MalformedInputError when the payload is not a JSON object */
export function parseJson(payload: Uint8Array): Record<string, unknown> {
  try {
    const json: unknown = JSON.parse(new TextDecoder().decode(payload));
    if (typeof json === 'object' && json !== null) return json as Record<string, unknown>;
  } catch (error) {
    throw new MalformedInputError('engine frame', 'is not JSON', undefined, { cause: error });
  }
  throw new MalformedInputError('engine frame', 'is not a JSON object');
}

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
