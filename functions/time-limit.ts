import type { InvocationContext } from './invocation.ts';

/**
 * Left of a function's time when its work is given up, in ms: for the dataset or block that is under way, for deleting what
 * was stored, and for saying so.
 */
export const CLEAN_UP_MS = 60_000;

/**
 * Turns ports into ones whose calls throw once an invocation has less than `cleanUpMs` left. Work that went on after the
 * answer would be frozen, and wake up in a later invocation beside that one's own work.
 * @param errorOf the error, from what it says
 */
export function timeLimit(
  context: InvocationContext,
  errorOf: (message: string) => Error,
  cleanUpMs = CLEAN_UP_MS,
) {
  const allowedMs = context.getRemainingTimeInMillis() - cleanUpMs;
  /** @param free methods that go on: work needs them to clean up behind itself */
  return function limited<Port extends object>(port: Port, free: readonly (keyof Port)[] = []): Port {
    return new Proxy(port, {
      get(target, property) {
        const member = Reflect.get(target, property);
        if (typeof member !== 'function') return member;
        return (...args: unknown[]) => {
          if (!free.includes(property as keyof Port) && isUp(context, cleanUpMs))
            throw errorOf(`not done within ${Math.round(allowedMs / 1000)} s`);
          return member.apply(target, args);
        };
      },
    });
  };
}

export function isUp(context: InvocationContext, cleanUpMs = CLEAN_UP_MS): boolean {
  return context.getRemainingTimeInMillis() < cleanUpMs;
}
