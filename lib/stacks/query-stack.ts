import { Aws, CfnOutput, Lazy, Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { HubConfig } from '../config.ts';
import { type HubStorage, hubEnvironment } from '../hub-environment.ts';
import type { FunctionDefaults } from '../hub-function.ts';
import { AdminFunction, AuthorizerFunction, type IngestFunction, QueryFunction } from '../hub-functions.ts';
import { QueryApi } from '../query-api.ts';
import { QueryWorkerFunction, workersEnvironment } from '../query-workers.ts';
import { type SignInSettings, signIn } from '../sign-in.ts';
import { WebSite } from '../web-site.ts';

export interface QueryStackProps extends StackProps {
  readonly config: HubConfig;
  readonly storage: HubStorage;
  readonly functions: FunctionDefaults;
  readonly ingest: IngestFunction;
  /** Of the ingest API, which administrators tell agents. */
  readonly ingestUrl: string;
  /** Folder of the built page. */
  readonly pageFolder: string;
}

/** Where a page on one's own machine is served, when there is none here. */
const LOCAL_PAGE = 'http://localhost:4040/';

/** What people and tools see. */
export class QueryStack extends Stack {
  readonly api: QueryApi;
  readonly query: QueryFunction;
  /** Absent when large queries are not shared. */
  readonly queryWorker?: QueryWorkerFunction;
  readonly admin: AdminFunction;
  readonly authorizer: AuthorizerFunction;

  constructor(scope: Construct, id: string, props: QueryStackProps) {
    super(scope, id, props);
    const { config, storage, functions, ingest } = props;
    // The page's address is known only once it is made, which needs to know who signs in.
    let site: WebSite | undefined;
    const pages = [Lazy.string({ produce: () => site?.url ?? LOCAL_PAGE })];
    const people = signIn(this, 'SignIn', { config, pages });
    const environment = hubEnvironment(config, storage);
    const common = { ...functions, storage };
    const reserved = config.reservedConcurrency;
    if (config.queryWorkers > 0) {
      this.queryWorker = new QueryWorkerFunction(this, 'QueryWorker', {
        ...common,
        environment: workerEnvironment(config, storage),
        reservedConcurrency: reserved.queryWorker,
      });
    }
    this.query = new QueryFunction(this, 'Query', {
      ...common,
      environment: { ...environment, ...workersEnvironment(config, this.queryWorker) },
      reservedConcurrency: reserved.query,
    });
    this.queryWorker?.servesQueriesOf(this.query, config.stage, common);
    this.admin = new AdminFunction(this, 'Admin', {
      ...common,
      environment: {
        ...environment,
        CINDERBLOCK_INGEST_URL: props.ingestUrl,
        CINDERBLOCK_ACCOUNT: Aws.ACCOUNT_ID,
      },
      reservedConcurrency: reserved.admin,
    });
    this.authorizer = new AuthorizerFunction(this, 'Authorizer', {
      ...common,
      environment: authorizerEnvironment(config, storage, people),
      reservedConcurrency: reserved.authorizer,
    });
    this.api = new QueryApi(this, 'Api', {
      query: this.query.function,
      admin: this.admin.function,
      ingest: ingest.function,
      authorizer: this.authorizer.function,
      logRetentionDays: config.logRetentionDays,
      alarms: functions.alarms,
    });
    new CfnOutput(this, 'QueryUrl', {
      value: this.api.http.url,
      description: 'For Grafana, SDKs and the CLI',
    });
    new CfnOutput(this, 'AdminFunctionName', {
      value: this.admin.function.functionName,
      description: 'Who may invoke it is an administrator, and issues the first API token',
    });
    new CfnOutput(this, 'SignInIssuer', { value: people.issuer });
    new CfnOutput(this, 'SignInClientId', { value: people.clientId });
    if (!config.web) return;
    site = new WebSite(this, 'Web', {
      pageFolder: props.pageFolder,
      apiUrl: this.api.http.url,
      signIn: people,
      logRetentionDays: config.logRetentionDays,
    });
    new CfnOutput(this, 'PageUrl', { value: site.url });
  }
}

/** No table and no queue: whoever reads shares knows of neither. */
function workerEnvironment({ tenant, stage }: HubConfig, { blocks }: HubStorage) {
  return {
    CINDERBLOCK_BUCKET: blocks.bucket.bucketName,
    CINDERBLOCK_TENANT: tenant,
    CINDERBLOCK_STAGE: stage,
  };
}

function authorizerEnvironment(config: HubConfig, { table }: HubStorage, people: SignInSettings) {
  return {
    CINDERBLOCK_TABLE: table.table.tableName,
    CINDERBLOCK_STAGE: config.stage,
    CINDERBLOCK_OIDC_ISSUER: people.issuer,
    CINDERBLOCK_OIDC_CLIENT_ID: people.clientId,
    CINDERBLOCK_OIDC_GROUPS_CLAIM: people.groupsClaim,
    CINDERBLOCK_ADMIN_GROUP: config.adminGroup,
  };
}
