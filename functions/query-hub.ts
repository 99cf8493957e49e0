import { compileLinearRegex } from '../pipeline/linear-regex.ts';
import { openFunction } from '../storage/aws/lambda-function.ts';
import type { QueryEnvironment } from './environment.ts';
import { functionWorkers, WORKER_TIMEOUT_MS } from './function-workers.ts';
import { type FunctionHub, openHub } from './open-hub.ts';
import { awsPlace, readEnvironment, type Variables } from './read-environment.ts';

const WORKER_VARIABLES = [
  'CINDERBLOCK_QUERY_WORKERS',
  'CINDERBLOCK_QUERY_WORKER_FUNCTION',
] as const satisfies readonly (keyof QueryEnvironment)[];

/**
 * The hub of who answers queries: where there is a function of workers, they take shares of large ones.
 * @throws Error that names the variables that are missing
 */
export function openQueryHub(variables: Variables = process.env): FunctionHub {
  const opened = openHub({ service: 'query', compileRegex: compileLinearRegex, variables });
  if (!variables.CINDERBLOCK_QUERY_WORKER_FUNCTION) return opened;
  const { CINDERBLOCK_QUERY_WORKERS: count, CINDERBLOCK_QUERY_WORKER_FUNCTION: name } = readEnvironment(
    variables,
    WORKER_VARIABLES,
  );
  const { hub } = opened;
  const invoke = openFunction(awsPlace(variables), name, WORKER_TIMEOUT_MS);
  const { CINDERBLOCK_QUERY_FAN_OUT_BYTES: bytes } = variables;
  const settings = { ...hub.settings, ...(bytes && { queryFanOutBytes: Number(bytes) }) };
  return {
    ...opened,
    hub: { ...hub, settings, queryWorkers: functionWorkers(Number(count), invoke, hub.codec) },
  };
}
