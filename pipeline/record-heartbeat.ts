import { isIdPart } from '../core/batch/batch-origin.ts';
import { SPOOLED_HOURS_MAX, type SpoolAccount, type SpooledHour } from '../core/batch/spool-account.ts';
import { RejectedError } from '../core/errors.ts';
import type { Hub } from './hub.ts';

/** Most counters one heartbeat may carry. */
const COUNTERS_MAX = 64;
const TEXT_MAX = 2048;
const HOUR_MS = 3_600_000;

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
    spool: body.spool === undefined ? undefined : asSpool(body.spool),
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

/** Within bounds, and of one mind with itself: what is stored of it is summed by the audit. */
function asSpool(value: unknown): SpoolAccount {
  const { spoolId, batches, samples, hours } = asObject(value, 'spool');
  const id = asText(spoolId, 'spoolId');
  if (!isIdPart(id)) throw new RejectedError('invalid', 'spoolId may only use A-Z a-z 0-9 . _ -');
  if (!Array.isArray(hours)) throw new RejectedError('invalid', 'hours must be a list');
  if (hours.length > SPOOLED_HOURS_MAX) {
    throw new RejectedError(
      'invalid',
      `a spool is told in ${hours.length} hours, the limit spooledHoursMax is ${SPOOLED_HOURS_MAX}; the rest counts in its totals`,
    );
  }
  const account = {
    ...{ spoolId: id, batches: asCount(batches, 'batches'), samples: asCount(samples, 'samples') },
    hours: hours.map(asSpooledHour),
  };
  const told = account.hours.reduce((sum, hour) => sum + hour.batches, 0);
  if (told <= account.batches) return account;
  throw new RejectedError(
    'invalid',
    `a spool of ${account.batches} batches has ${told} of them in its hours`,
  );
}

function asSpooledHour(value: unknown): SpooledHour {
  const hour = asObject(value, 'hour of a spool');
  const bootId = asText(hour.bootId, 'bootId');
  if (!isIdPart(bootId)) throw new RejectedError('invalid', 'bootId may only use A-Z a-z 0-9 . _ -');
  const number = (name: Exclude<keyof SpooledHour, 'bootId'>) => asCount(hour[name], name);
  const hourMs = number('hourMs');
  const [first, end, batches] = [number('first'), number('end'), number('batches')];
  if (hourMs % HOUR_MS !== 0) throw new RejectedError('invalid', `hourMs is ${hourMs}, no whole hour`);
  if (batches < 1 || batches > end - first) {
    throw new RejectedError('invalid', `${batches} batches cannot have the numbers ${first} to ${end}`);
  }
  const counts = { kept: number('kept'), dropped: number('dropped'), lost: number('lost') };
  return { bootId, hourMs, first, end, batches, ...counts };
}

function asCount(value: unknown, what: string): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw new RejectedError('invalid', `${what} must be a whole number that is not negative`);
}
