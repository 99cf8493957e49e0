import { Duration } from 'aws-cdk-lib';
import { Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import type { QueryEnvironment, QueryWorkerEnvironment } from '../functions/environment.ts';
import { BLOCKS } from '../storage/names.ts';
import { ALARM_PERIOD, addAlarm } from './alarms.ts';
import type { HubConfig } from './config.ts';
import { HubFunction } from './hub-function.ts';
import { type HubFunctionsProps, METRICS_NAMESPACE, type QueryFunction } from './hub-functions.ts';

/** Periods in a row in which shares have to fail before somebody is told: one that fails costs a second, and no more. */
const FAILING_PERIODS = 3;

/**
 * Reads and merges shares of large queries: blocks, and nothing else. Only the query function may invoke it. That one waits
 * 12 s for it; what takes longer is in vain.
 */
export class QueryWorkerFunction extends HubFunction {
  constructor(
    scope: Construct,
    id: string,
    props: HubFunctionsProps & { environment: QueryWorkerEnvironment },
  ) {
    super(scope, id, {
      ...props,
      bundle: 'query-worker',
      description: 'Reads shares of large queries',
      environment: { ...props.environment },
      // One core, as the query function has: a share is merged by one thread.
      memoryMiB: 1769,
      timeout: Duration.seconds(15),
    });
    const { blocks } = props.storage;
    blocks.allow(this.role, BLOCKS, 's3:GetObject');
    blocks.allowList(this.role);
  }

  /** Lets the query function invoke this one and nothing else, and tells when its shares fail. */
  servesQueriesOf(query: QueryFunction, stage: string, { alarms: topic }: HubFunctionsProps): void {
    const resources = [this.function.functionArn];
    query.role.addToPolicy(new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources }));
    const metric = new Metric({
      namespace: METRICS_NAMESPACE,
      metricName: 'query_failed_shares_total',
      dimensionsMap: { service: 'query', stage },
      statistic: 'Sum',
      period: ALARM_PERIOD,
    });
    addAlarm(this, 'Failed', 'failed-shares', { metric, above: 0, periods: FAILING_PERIODS, topic });
  }
}

/** What the query function is told of its workers; nothing where there are none. */
export function workersEnvironment(
  { queryWorkers, queryFanOutBytes }: HubConfig,
  worker: QueryWorkerFunction | undefined,
): Partial<QueryEnvironment> {
  if (worker === undefined) return {};
  return {
    CINDERBLOCK_QUERY_WORKERS: String(queryWorkers),
    CINDERBLOCK_QUERY_WORKER_FUNCTION: worker.function.functionArn,
    ...(queryFanOutBytes !== undefined && { CINDERBLOCK_QUERY_FAN_OUT_BYTES: String(queryFanOutBytes) }),
  };
}
