import { createContextKey, type HandlerContext } from '@connectrpc/connect';
import type { Call } from './route.ts';

/** Where a Connect handler finds the call that it serves. */
export const callKey = createContextKey<Call | undefined>(undefined, { description: 'call' });

export function callOf(context: HandlerContext): Call {
  const call = context.values.get(callKey);
  if (call === undefined) throw new Error('a Connect handler ran outside the router');
  return call;
}
