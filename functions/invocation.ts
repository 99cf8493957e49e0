import type { MiddlewareObj } from '@middy/core';
import type { FunctionTelemetry } from './telemetry.ts';

/** What Lambda says about an invocation, as far as functions use it. */
export interface InvocationContext {
  awsRequestId: string;
  getRemainingTimeInMillis(): number;
}

/** A value that is made when it is first asked for: nothing is opened by importing a function. */
export function once<T extends object>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

/** Middleware: log lines name the request, and metrics go out once, however the invocation ends. */
export function withTelemetry<Event, Result>(
  open: () => { telemetry: FunctionTelemetry },
): MiddlewareObj<Event, Result> {
  const flush = () => open().telemetry.flush();
  return {
    before: ({ context }) => open().telemetry.begin(context.awsRequestId),
    after: flush,
    onError: flush,
  };
}
