import { RetryableError } from '../../core/errors.ts';
import type { FaultPlan } from './fault-plan.ts';

type Method = (...args: unknown[]) => Promise<unknown>;

/** Turns of the event loop that a delayed call waits: enough for a commit or a small file to overtake it. */
const DELAY_TURNS = 5;

/**
 * The same port, whose calls meet the faults that the plan decides, one decision per call in the order of calls. For tests:
 * what is built on a port must lose nothing and do nothing twice under any plan.
 */
export function withFaults<Port extends object>(port: Port, plan: FaultPlan): Port {
  let ordinal = 0;
  return new Proxy(port, {
    get(target, property, receiver) {
      const member = Reflect.get(target, property, receiver);
      if (typeof member !== 'function' || typeof property !== 'string') return member;
      const call: Method = (...args) => member.apply(target, args);
      return (...args: unknown[]) =>
        meet(call, args, property, plan({ method: property, ordinal: ordinal++ }));
    },
  });
}

async function meet(
  call: Method,
  args: unknown[],
  method: string,
  fault: ReturnType<FaultPlan>,
): Promise<unknown> {
  if (fault === 'fail-before') throw new RetryableError(`injected before ${method}`);
  if (fault === 'delay') {
    for (let turn = 0; turn < DELAY_TURNS; turn++) await new Promise(setImmediate);
  }
  const answer = await call(...args);
  if (fault === 'fail-after') throw new RetryableError(`injected after ${method}`);
  return fault === 'duplicate' ? call(...args) : answer;
}
