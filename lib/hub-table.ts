import { RemovalPolicy } from 'aws-cdk-lib';
import { AttributeType, BillingMode, Operation, Table, TableEncryption } from 'aws-cdk-lib/aws-dynamodb';
import { type IGrantable, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { EXPIRES, PARTITION_KEY, SORT_KEY } from '../storage/aws/names.ts';
import { ALARM_PERIOD, addAlarm } from './alarms.ts';

/** How storage/aws/ reads: no Scan, no PartiQL, no index. */
export const TABLE_READS = ['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:BatchGetItem'];

export interface HubTableProps {
  /** Whether the table stays when its stack goes, and refuses to be deleted. */
  readonly retain: boolean;
  /** Where alarms are told. */
  readonly alarms: ITopic;
}

/** The one table: catalog, registry, leases and ledger. docs/design/0003-storage-on-aws.md draws its keys. */
export class HubTable extends Construct {
  readonly table: Table;

  constructor(scope: Construct, id: string, props: HubTableProps) {
    super(scope, id);
    this.table = new Table(this, 'Default', {
      partitionKey: { name: PARTITION_KEY, type: AttributeType.STRING },
      sortKey: { name: SORT_KEY, type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
      encryption: TableEncryption.DEFAULT,
      timeToLiveAttribute: EXPIRES,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: props.retain,
      removalPolicy: props.retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    this.#addAlarms(props.alarms);
  }

  /**
   * Lets somebody use items of the table.
   * @param partitions patterns that the partition keys have to fit, such as `api-token#*`; none for all
   */
  allow(grantee: IGrantable, actions: readonly string[], partitions: readonly string[] = []): void {
    const conditions =
      partitions.length === 0
        ? undefined
        : { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [...partitions] } };
    grantee.grantPrincipal.addToPrincipalPolicy(
      new PolicyStatement({ actions: [...actions], resources: [this.table.tableArn], conditions }),
    );
  }

  #addAlarms(topic: ITopic): void {
    const operations = [
      Operation.GET_ITEM,
      Operation.QUERY,
      Operation.BATCH_GET_ITEM,
      Operation.PUT_ITEM,
      Operation.UPDATE_ITEM,
      Operation.TRANSACT_WRITE_ITEMS,
    ];
    const options = { operations, period: ALARM_PERIOD };
    const throttles = this.table.metricThrottledRequestsForOperations(options);
    const errors = this.table.metricSystemErrorsForOperations(options);
    addAlarm(this, 'Throttles', 'table-throttles', { metric: throttles, above: 0, periods: 2, topic });
    addAlarm(this, 'Errors', 'table-errors', { metric: errors, above: 5, periods: 2, topic });
  }
}
