/** Where AWS is asked. */
export interface AwsPlace {
  region: string;
  /** Of a server that stands in for all services; then buckets are named in paths and not in host names. */
  endpoint?: string;
}

/** A connection is made within this time or not at all, in ms. */
const CONNECTION_TIMEOUT_MS = 2_000;

/** A request is answered within this time or made again, in ms: the slowest is a put or read of many MB. */
const REQUEST_TIMEOUT_MS = 15_000;

/** How often the SDK makes a request that was throttled or not answered, the first time included. */
const MAX_ATTEMPTS = 4;

/** What every client of the SDK is made with. */
export function clientOptions({ region, endpoint }: AwsPlace) {
  return {
    region,
    endpoint,
    maxAttempts: MAX_ATTEMPTS,
    requestHandler: { connectionTimeout: CONNECTION_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS },
  };
}
