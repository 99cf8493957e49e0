import {
  Dashboard,
  GraphWidget,
  type IMetric,
  type IWidget,
  PeriodOverride,
} from 'aws-cdk-lib/aws-cloudwatch';
import { Operation } from 'aws-cdk-lib/aws-dynamodb';
import { Construct } from 'constructs';
import { ALARM_PERIOD } from './alarms.ts';
import type { HubStorage } from './hub-environment.ts';
import type { HubFunction } from './hub-function.ts';
import type { HubHttpApi } from './hub-http-api.ts';
import type { JobQueue } from './job-queue.ts';

export interface HubDashboardProps {
  readonly storage: HubStorage;
  readonly ingestApi: HubHttpApi;
  readonly queryApi: HubHttpApi;
  readonly jobs: JobQueue;
  /** By what people call them. */
  readonly functions: Readonly<Record<string, HubFunction>>;
}

const period = ALARM_PERIOD;
const WIDTH = 8;

/** One page: what comes in, what waits, what fails, what is asked, what is merged. */
export class HubDashboard extends Construct {
  constructor(scope: Construct, id: string, props: HubDashboardProps) {
    super(scope, id);
    const dashboard = new Dashboard(this, 'Default', { periodOverride: PeriodOverride.AUTO });
    dashboard.addWidgets(...requestWidgets(props), queueWidget(props));
    dashboard.addWidgets(...functionWidgets(props));
    dashboard.addWidgets(tableWidget(props), jobsWidget(props));
  }
}

function requestWidgets({ ingestApi, queryApi }: HubDashboardProps): IWidget[] {
  const widgetOf = (title: string, { stage }: HubHttpApi) =>
    graph(title, [
      stage.metricCount({ period, statistic: 'Sum', label: 'requests' }),
      stage.metricClientError({ period, statistic: 'Sum', label: 'refused' }),
      stage.metricServerError({ period, statistic: 'Sum', label: 'failed' }),
    ]);
  return [widgetOf('Requests of agents', ingestApi), widgetOf('Queries and pushes', queryApi)];
}

function queueWidget({ storage: { queue } }: HubDashboardProps): IWidget {
  const waiting = queue.queue.metricApproximateNumberOfMessagesVisible({ period, label: 'waiting' });
  return graph('Batches', [waiting, queue.dead()], [queue.oldest()]);
}

function functionWidgets({ functions }: HubDashboardProps): IWidget[] {
  const each = (metricOf: (one: HubFunction, label: string) => IMetric) =>
    Object.entries(functions).map(([label, one]) => metricOf(one, label));
  return [
    graph(
      'Duration, p99, ms',
      each((one, label) => one.function.metricDuration({ period, statistic: 'p99', label })),
    ),
    graph(
      'Failed invocations',
      each((one, label) => one.function.metricErrors({ period, label })),
    ),
    graph(
      'Throttled invocations',
      each((one, label) => one.function.metricThrottles({ period, label })),
    ),
  ];
}

function tableWidget({ storage: { table } }: HubDashboardProps): IWidget {
  const operations = [Operation.GET_ITEM, Operation.PUT_ITEM, Operation.UPDATE_ITEM, Operation.QUERY];
  return graph('Table', [
    table.table.metricConsumedReadCapacityUnits({ period, label: 'read units' }),
    table.table.metricConsumedWriteCapacityUnits({ period, label: 'write units' }),
    table.table.metricThrottledRequestsForOperations({ period, operations, label: 'throttled' }),
  ]);
}

function jobsWidget({ jobs }: HubDashboardProps): IWidget {
  return graph('Compaction jobs', [jobs.waiting(), jobs.deadLetters.dead()]);
}

function graph(title: string, left: IMetric[], right: IMetric[] = []): IWidget {
  return new GraphWidget({ title, left, right, width: WIDTH });
}
