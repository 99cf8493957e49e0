import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import { AlarmTopic } from '../alarm-topic.ts';
import { BatchQueue } from '../batch-queue.ts';
import { BlockStore } from '../block-store.ts';
import type { HubConfig } from '../config.ts';
import type { HubStorage } from '../hub-environment.ts';
import { PROCESSOR_TIMEOUT } from '../hub-functions.ts';
import { HubTable } from '../hub-table.ts';

/** What must not be lost: blocks, table, and the batches that were acknowledged but are not in a block yet. */
export class DataStack extends Stack {
  readonly storage: HubStorage;
  readonly alarms: ITopic;

  constructor(scope: Construct, id: string, props: StackProps & { config: HubConfig }) {
    const { retainData: retain, alarmEmail: email } = props.config;
    super(scope, id, { ...props, terminationProtection: retain });
    this.alarms = new AlarmTopic(this, 'Alarms', { email }).topic;
    const alarms = this.alarms;
    const blocks = new BlockStore(this, 'Blocks', { retain });
    const table = new HubTable(this, 'Table', { retain, alarms });
    const queue = new BatchQueue(this, 'Batches', { retain, alarms, processorTimeout: PROCESSOR_TIMEOUT });
    this.storage = { blocks, table, queue };
    new CfnOutput(this, 'BucketName', { value: blocks.bucket.bucketName });
    new CfnOutput(this, 'TableName', { value: table.table.tableName });
    new CfnOutput(this, 'QueueUrl', { value: queue.queue.queueUrl });
    new CfnOutput(this, 'DeadLetterUrl', { value: queue.deadLetters.queueUrl });
  }
}
