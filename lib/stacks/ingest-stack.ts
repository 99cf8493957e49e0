import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { HubConfig } from '../config.ts';
import { type HubStorage, hubEnvironment } from '../hub-environment.ts';
import type { FunctionDefaults } from '../hub-function.ts';
import { IngestFunction, ProcessorFunction } from '../hub-functions.ts';
import { IngestApi } from '../ingest-api.ts';

export interface IngestStackProps extends StackProps {
  readonly config: HubConfig;
  readonly storage: HubStorage;
  readonly functions: FunctionDefaults;
}

/** From a signed request to a block. */
export class IngestStack extends Stack {
  readonly api: IngestApi;
  readonly ingest: IngestFunction;
  readonly processor: ProcessorFunction;

  constructor(scope: Construct, id: string, props: IngestStackProps) {
    super(scope, id, props);
    const { config, storage, functions } = props;
    const environment = hubEnvironment(config, storage);
    const reserved = config.reservedConcurrency;
    const common = { ...functions, storage, environment };
    this.ingest = new IngestFunction(this, 'Ingest', { ...common, reservedConcurrency: reserved.ingest });
    this.processor = new ProcessorFunction(this, 'Processor', {
      ...common,
      reservedConcurrency: reserved.processor,
    });
    this.api = new IngestApi(this, 'Api', {
      ingest: this.ingest.function,
      hasClusters: config.clusters.length > 0,
      logRetentionDays: config.logRetentionDays,
      alarms: functions.alarms,
    });
    new CfnOutput(this, 'IngestUrl', {
      value: this.api.http.url,
      description: 'CINDERBLOCK_HUB_URL of agents',
    });
  }
}
