import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { AnyPrincipal, Effect, PolicyStatement, type Role } from 'aws-cdk-lib/aws-iam';
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { BLOCKS, INBOX, QUARANTINE, type SEALED } from '../storage/names.ts';
import { acknowledge, acknowledgeWildcard } from './acknowledge.ts';

/** First segments of the bucket's keys. */
export type Prefix = typeof BLOCKS | typeof INBOX | typeof QUARANTINE | typeof SEALED;

export interface BlockStoreProps {
  /** Whether the bucket stays when its stack goes. */
  readonly retain: boolean;
}

/** A pointer may wait seven days, lie fourteen as a dead letter, and wait again after a redrive. */
const INBOX_DAYS = 30;
const QUARANTINE_DAYS = 90;
const ACCESS_LOG_DAYS = 90;

/** The bucket of blocks, of batches too large for the queue, and of quarantine. */
export class BlockStore extends Construct {
  readonly bucket: Bucket;

  constructor(scope: Construct, id: string, props: BlockStoreProps) {
    super(scope, id);
    const closed = {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      removalPolicy: props.retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    };
    const accessLogs = new Bucket(this, 'AccessLogs', {
      ...closed,
      lifecycleRules: [{ expiration: Duration.days(ACCESS_LOG_DAYS) }, abortUploads()],
    });
    acknowledge(accessLogs, { 'AwsSolutions-S1': 'Logs about reading logs would log themselves.' });
    this.bucket = new Bucket(this, 'Default', {
      ...closed,
      // Objects are never changed, so old versions would only be deleted ones, kept at full price.
      versioned: false,
      serverAccessLogsBucket: accessLogs,
      serverAccessLogsPrefix: 'blocks/',
      lifecycleRules: [
        abortUploads(),
        { prefix: `${INBOX}/`, expiration: Duration.days(INBOX_DAYS) },
        { prefix: `${QUARANTINE}/`, expiration: Duration.days(QUARANTINE_DAYS) },
      ],
    });
    this.bucket.addToResourcePolicy(this.#createOnly());
  }

  /** Lets a role do something below a prefix, and nothing else. */
  allow(role: Role, prefix: Prefix, ...actions: string[]): void {
    const resources = [this.bucket.arnForObjects(`${prefix}/*`)];
    role.addToPrincipalPolicy(new PolicyStatement({ actions, resources }));
    acknowledgeWildcard(role, `/${prefix}/*`, 'Objects below a prefix have names that only time tells.');
  }

  /** Without it S3 answers 403 and not 404 for a key that is not there; conditions on prefixes would undo that. */
  allowList(role: Role): void {
    const resources = [this.bucket.bucketArn];
    role.addToPrincipalPolicy(new PolicyStatement({ actions: ['s3:ListBucket'], resources }));
  }

  /**
   * A block can be made and deleted, never overwritten: whoever writes has to ask that the key be free. Parts of
   * multipart uploads make no object yet.
   * https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
   */
  #createOnly(): PolicyStatement {
    return new PolicyStatement({
      sid: 'BlocksAreNeverOverwritten',
      effect: Effect.DENY,
      principals: [new AnyPrincipal()],
      actions: ['s3:PutObject'],
      resources: [this.bucket.arnForObjects(`${BLOCKS}/*`)],
      conditions: { Null: { 's3:if-none-match': 'true' }, Bool: { 's3:ObjectCreationOperation': 'true' } },
    });
  }
}

function abortUploads() {
  return { abortIncompleteMultipartUploadAfter: Duration.days(1) };
}
