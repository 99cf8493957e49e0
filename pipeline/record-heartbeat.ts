import { isIdPart } from '../core/batch/batch-origin.ts';
import { RejectedError } from '../core/errors.ts';
import type { Hub } from './hub.ts';

/** Most counters one heartbeat may carry. */
const COUNTERS_MAX = 64;
const TEXT_MAX = 2048;

/**
 * Notes that an agent lives, and what it counted. Answers the hub's time, from which the agent corrects its clock, and
 * how long it may wait until it does so again. One with `probe` only asks whether it would be taken: nothing is noted.
 * @param request.body as it came: anything that is not as expected is refused
 */
export async function recordHeartbeat(
  hub: Hub,
  request: { cluster: string; body: unknown },
): Promise<{ nowMs: number; settings: { heartbeatMs: number } }> {
  const body = asObject(request.body, 'heartbeat');
  const node = asText(body.node, 'node');
  const bootId = asText(body.bootId, 'bootId');
  if (!isIdPart(node) || !isIdPart(bootId)) {
    throw new RejectedError('invalid', 'node and bootId may only use A-Z a-z 0-9 . _ -');
  }
  const at = hub.clock();
  const answer = { nowMs: at, settings: { heartbeatMs: hub.settings.heartbeatMs } };
  if (body.probe === true) return answer;
  await hub.registry.recordHeartbeat({
    cluster: request.cluster,
    node,
    bootId,
    version: asText(body.version, 'version'),
    engine: asText(body.engine, 'engine'),
    at,
    clockSkewMs: asNumber(body.clockSkewMs ?? 0, 'clockSkewMs'),
    counters: asCounters(body.counters ?? {}),
    lastError:
      body.lastError === undefined || body.lastError === null
        ? undefined
        : asText(body.lastError, 'lastError'),
  });
  hub.telemetry.count('heartbeats_total', 1, { cluster: request.cluster });
  return answer;
}

function asObject(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new RejectedError('invalid', `${what} must be a JSON object`);
}

function asText(value: unknown, what: string): string {
  if (typeof value === 'string' && value !== '') return value.slice(0, TEXT_MAX);
  throw new RejectedError('invalid', `${what} must be a text`);
}

function asNumber(value: unknown, what: string): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw new RejectedError('invalid', `${what} must be a number`);
}

function asCounters(value: unknown): Record<string, number> {
  const counters = Object.entries(asObject(value, 'counters'));
  if (counters.length > COUNTERS_MAX) {
    throw new RejectedError(
      'invalid',
      `a heartbeat carries ${counters.length} counters, the limit is ${COUNTERS_MAX}`,
    );
  }
  return Object.fromEntries(counters.map(([name, count]) => [name, asNumber(count, `counter ${name}`)]));
}
