// Workers that are invocations of the function in this process: events and answers pass as JSON.
import { functionWorkers } from '../../functions/function-workers.ts';
import { queryWorkerHandler, type WorkerHub } from '../../functions/query-worker.ts';
import type { QueryWorkers } from '../../pipeline/query-workers.ts';
import { codec } from '../core/block/fixtures.ts';
import { contextOf } from './function-events.ts';

export function invokedWorkers(open: () => WorkerHub, count = 3, remainingMs = 15_000): QueryWorkers {
  const handler = queryWorkerHandler(open);
  const invoke = async (event: string) =>
    JSON.stringify(await handler(JSON.parse(event), contextOf(remainingMs)));
  return functionWorkers(count, invoke, codec);
}
