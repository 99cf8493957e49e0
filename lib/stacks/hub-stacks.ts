import { type App, type Stack, Tags } from 'aws-cdk-lib';
import type { HubConfig } from '../config.ts';
import { ClusterAccessStack } from './cluster-access-stack.ts';
import { CompactionStack } from './compaction-stack.ts';
import { DataStack } from './data-stack.ts';
import { IngestStack } from './ingest-stack.ts';
import { OpsStack } from './ops-stack.ts';
import { QueryStack } from './query-stack.ts';

export interface HubStacks {
  readonly data: DataStack;
  readonly ingest: IngestStack;
  readonly query: QueryStack;
  readonly compaction: CompactionStack;
  readonly clusterAccess: ClusterAccessStack;
  readonly ops: OpsStack;
}

/** What is built before the stacks are. */
export interface BuiltFolders {
  /** With one folder per function, each with its bundle index.mjs. */
  readonly functions: string;
  /** Of the page. */
  readonly page: string;
}

/** All stacks of one hub: `Cinderblock-Prod-Data` and so on. */
export function hubStacks(app: App, config: HubConfig, folders: BuiltFolders): HubStacks {
  const env = { region: config.region, account: config.account };
  const idOf = (part: string) => `${capitalized(config.name)}-${capitalized(config.stage)}-${part}`;
  const data = new DataStack(app, idOf('Data'), { env, config });
  const { storage, alarms } = data;
  const functions = {
    functionsFolder: folders.functions,
    logRetentionDays: config.logRetentionDays,
    alarms,
  };
  const ingest = new IngestStack(app, idOf('Ingest'), { env, config, storage, functions });
  const query = new QueryStack(app, idOf('Query'), {
    ...{ env, config, storage, functions },
    ingest: ingest.ingest,
    ingestUrl: ingest.api.http.url,
    pageFolder: folders.page,
  });
  const compaction = new CompactionStack(app, idOf('Compaction'), { env, config, storage, functions });
  const clusterAccess = new ClusterAccessStack(app, idOf('ClusterAccess'), { env, config, api: ingest.api });
  const ops = new OpsStack(app, idOf('Ops'), {
    env,
    config,
    dashboard: dashboardOf(data, ingest, query, compaction),
  });
  const stacks = { data, ingest, query, compaction, clusterAccess, ops };
  for (const [component, stack] of Object.entries(stacks)) addTags(stack, config, component);
  return stacks;
}

function dashboardOf(
  { storage }: DataStack,
  ingest: IngestStack,
  query: QueryStack,
  { compaction }: CompactionStack,
) {
  return {
    storage,
    ingestApi: ingest.api.http,
    queryApi: query.api.http,
    jobs: compaction.jobs,
    functions: {
      ingest: ingest.ingest,
      processor: ingest.processor,
      query: query.query,
      ...(query.queryWorker && { 'query-worker': query.queryWorker }),
      admin: query.admin,
      authorizer: query.authorizer,
      'compaction-planner': compaction.planner,
      'compaction-worker': compaction.worker,
      housekeeper: compaction.housekeeper,
    },
  };
}

/** What the bill can be split by. Dashboards take no tags. */
function addTags(stack: Stack, { name, stage }: HubConfig, component: string): void {
  const options = { excludeResourceTypes: ['AWS::CloudWatch::Dashboard'] };
  Tags.of(stack).add('cinderblock:hub', `${name}-${stage}`, options);
  Tags.of(stack).add('cinderblock:component', component, options);
}

function capitalized(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
