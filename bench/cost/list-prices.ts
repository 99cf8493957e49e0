// List prices in US dollars. Free tiers and discounts are left out: a bill can only be lower.

export const PRICE_REGION = 'us-east-1';
export const PRICE_DATE = '2026-11-22';

export interface ListPrice {
  /** US dollars per unit. */
  readonly usd: number;
  readonly unit: string;
  /** Where the price was read. */
  readonly source: string;
}

const MILLION = 1e6;

/** What AWS asks for the services that a hub uses, and for a server of one's own. */
export const LIST_PRICES = {
  httpApi: {
    usd: 1.0 / MILLION,
    unit: 'request, begun 512 KB (up to 300 million a month)',
    source: 'aws.amazon.com/api-gateway/pricing',
  },
  lambdaRequest: { usd: 0.2 / MILLION, unit: 'request', source: 'aws.amazon.com/lambda/pricing' },
  lambdaGbSecond: {
    usd: 0.0000133334,
    unit: 'GB-second on arm64, starting up included',
    source: 'aws.amazon.com/lambda/pricing',
  },
  schedulerCall: {
    usd: 1.0 / MILLION,
    unit: 'call by EventBridge Scheduler',
    source: 'aws.amazon.com/eventbridge/pricing',
  },
  sqsRequest: {
    usd: 0.4 / MILLION,
    unit: 'request on a standard queue, begun 64 KiB',
    source: 'aws.amazon.com/sqs/pricing',
  },
  sqsFairRequest: {
    usd: 0.1 / MILLION,
    unit: 'request with a message group, on top',
    source: 'cloudburn.io/blog/amazon-sqs-pricing, March 2026',
  },
  dynamoWriteUnit: {
    usd: 0.625 / MILLION,
    unit: 'write unit of 1 KB, on demand',
    source: 'aws.amazon.com/dynamodb/pricing/on-demand',
  },
  dynamoReadUnit: {
    usd: 0.125 / MILLION,
    unit: 'consistent read unit of 4 KB, on demand',
    source: 'aws.amazon.com/dynamodb/pricing/on-demand',
  },
  s3Put: { usd: 5 / MILLION, unit: 'PUT or LIST', source: 'aws.amazon.com/s3/pricing' },
  s3Get: { usd: 0.4 / MILLION, unit: 'GET', source: 'aws.amazon.com/s3/pricing' },
  s3GbMonth: { usd: 0.023, unit: 'GB a month, S3 Standard', source: 'aws.amazon.com/s3/pricing' },
  logGb: { usd: 0.5, unit: 'GB of logs taken in', source: 'aws.amazon.com/cloudwatch/pricing' },
  logInfrequentGb: {
    usd: 0.25,
    unit: 'GB of logs taken in, infrequent access class',
    source: 'aws.amazon.com/cloudwatch/pricing',
  },
  alarmMonth: {
    usd: 0.1,
    unit: 'metric that an alarm looks at, a month',
    source: 'aws.amazon.com/cloudwatch/pricing',
  },
  customMetricMonth: { usd: 0.3, unit: 'metric a month', source: 'aws.amazon.com/cloudwatch/pricing' },
  dashboardMonth: { usd: 3, unit: 'dashboard a month', source: 'aws.amazon.com/cloudwatch/pricing' },
  m7gXlargeHour: {
    usd: 0.1632,
    unit: 'hour of m7g.xlarge: 4 cores, 16 GiB',
    source: 'aws.amazon.com/ec2/pricing/on-demand',
  },
  gp3GbMonth: { usd: 0.08, unit: 'GB a month of gp3 volume', source: 'aws.amazon.com/ebs/pricing' },
  eksHour: { usd: 0.1, unit: 'hour of an EKS control plane', source: 'aws.amazon.com/eks/pricing' },
  loadBalancerHour: {
    usd: 0.0225,
    unit: 'hour of a load balancer, without its capacity units',
    source: 'aws.amazon.com/elasticloadbalancing/pricing',
  },
  crossZoneGb: {
    usd: 0.02,
    unit: 'GB between availability zones, both directions',
    source: 'aws.amazon.com/ec2/pricing/on-demand',
  },
} as const satisfies Readonly<Record<string, ListPrice>>;

/** US dollars for `units` at a list price. */
export function priceOf(name: keyof typeof LIST_PRICES, units: number): number {
  return LIST_PRICES[name].usd * units;
}
