// What it costs to run Pyroscope oneself for the same fleet, in the same region: instances, volumes, traffic and requests.
// People's time, backups and upgrades are in neither bill.
import { ASSUMPTIONS, type CostInputs } from './cost-inputs.ts';
import { priceOf } from './list-prices.ts';

/** What is taken to be true of a Pyroscope installation. Printed with every bill. */
export const SELF_HOSTED_ASSUMPTIONS = {
  /**
   * The Helm chart asks for 4 cores and 16 GiB at the least, an m7g.xlarge:
   * https://grafana.com/docs/pyroscope/latest/deploy-kubernetes/helm
   */
  leastInstances: { single: 1, highlyAvailable: 3 },
  /** What one such instance takes in, MB/s of the very bytes that Cinderblock's agents would send. */
  megabytesPerSecond: 5,
  /** As for Cinderblock, so that storage does not decide. */
  storedReduction: 4,
  /** Two segment writers put a segment every 500 ms each. */
  segmentPutsPerSecond: 4,
  /** Of three zones, two are another one than the sender's. */
  crossZoneShare: 2 / 3,
} as const;

export interface Alternative {
  readonly name: string;
  /** US dollars a month. */
  readonly usd: number;
  readonly basis: string;
}

const HOURS = ASSUMPTIONS.monthSeconds / 3600;
const MONTH_DAYS = ASSUMPTIONS.monthSeconds / 86_400;

/** A single instance with a volume, on a cluster that is there anyway. */
export function singleInstance(inputs: CostInputs): Alternative {
  const { instances, gigabytes } = sizeOf(inputs, SELF_HOSTED_ASSUMPTIONS.leastInstances.single);
  const usd = priceOf('m7gXlargeHour', instances * HOURS) + priceOf('gp3GbMonth', gigabytes);
  return {
    name: 'Pyroscope, one instance',
    usd,
    basis: `${instances} × m7g.xlarge, ${Math.round(gigabytes)} GB of gp3; nothing takes over when it stops`,
  };
}

/** Over three zones, on a cluster of its own. */
export function highlyAvailable(inputs: CostInputs): Alternative {
  const { instances, gigabytes, sentGigabytes } = sizeOf(
    inputs,
    SELF_HOSTED_ASSUMPTIONS.leastInstances.highlyAvailable,
  );
  const { crossZoneShare, segmentPutsPerSecond } = SELF_HOSTED_ASSUMPTIONS;
  const usd =
    priceOf('m7gXlargeHour', instances * HOURS) +
    priceOf('eksHour', HOURS) +
    priceOf('loadBalancerHour', HOURS) +
    priceOf('s3GbMonth', gigabytes) +
    priceOf('s3Put', segmentPutsPerSecond * ASSUMPTIONS.monthSeconds) +
    priceOf('crossZoneGb', sentGigabytes * crossZoneShare);
  return {
    name: 'Pyroscope, three zones',
    usd,
    basis: `${instances} × m7g.xlarge, EKS, load balancer, S3, ${Math.round(sentGigabytes * crossZoneShare)} GB between zones`,
  };
}

function sizeOf({ nodes, flushSeconds, batchKb, retentionDays }: CostInputs, least: number) {
  const megabytesPerSecond = (nodes * batchKb) / 1000 / flushSeconds;
  const sentGigabytes = (megabytesPerSecond * ASSUMPTIONS.monthSeconds) / 1000;
  const needed = Math.ceil(megabytesPerSecond / SELF_HOSTED_ASSUMPTIONS.megabytesPerSecond);
  return {
    instances: Math.max(least, needed),
    sentGigabytes,
    gigabytes: (sentGigabytes * (retentionDays / MONTH_DAYS)) / SELF_HOSTED_ASSUMPTIONS.storedReduction,
  };
}
