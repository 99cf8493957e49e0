import { RejectedError } from '../errors.ts';
import { CLUSTER, labelsOf, SERVICE_NAME } from '../labels/labels.ts';
import { type CompileRegex, compileMatchers } from '../labels/matcher.ts';
import { parseSelector } from '../labels/selector.ts';

/** For how long windows of each resolution are kept after they end, ms. */
export interface KeepTimes {
  readonly raw: number;
  readonly fiveMinutes: number;
  readonly hour: number;
}

/** For how long what a selector names is kept. */
export interface RetentionPolicy {
  /** Of `cluster` and `service_name` alone, such as `{cluster="dev"}`: these are known of a block without reading it. */
  readonly selector: string;
  readonly keepMs: KeepTimes;
}

const DAY_MS = 24 * 3_600_000;

/** What is kept of everything that no policy names. */
export const DEFAULT_KEEP: KeepTimes = { raw: 14 * DAY_MS, fiveMinutes: 90 * DAY_MS, hour: 400 * DAY_MS };

/** Most policies of one tenant. */
export const POLICIES_MAX = 200;

const POLICY_LABELS = [CLUSTER, SERVICE_NAME];

/** Policies in force, ready to be asked. */
export class RetentionRules {
  readonly #rules: { matches: (cluster: string, service: string) => boolean; keepMs: KeepTimes }[];
  readonly #fallback: KeepTimes;

  /**
   * @param policies the first one that matches counts
   * @param fallback for what none matches
   * @throws RejectedError('invalid') for a selector that is none, or that asks for other labels
   */
  constructor(
    policies: readonly RetentionPolicy[],
    compileRegex: CompileRegex,
    fallback: KeepTimes = DEFAULT_KEEP,
  ) {
    this.#rules = policies.map(({ selector, keepMs }) => ({
      matches: compile(selector, compileRegex),
      keepMs,
    }));
    this.#fallback = fallback;
  }

  /** How long windows of a series are kept after they end, ms. */
  keepMs(cluster: string, service: string, resolutionSeconds: number): number {
    const { keepMs } = this.#rules.find(({ matches }) => matches(cluster, service)) ?? {
      keepMs: this.#fallback,
    };
    if (resolutionSeconds === 0) return keepMs.raw;
    return resolutionSeconds < 3600 ? keepMs.fiveMinutes : keepMs.hour;
  }
}

/**
 * @param rawKeepMsMin raw windows must live until they are downsampled, or coarser ones would lack them
 * @throws RejectedError('invalid') that names the policy and what is wrong with it
 */
export function checkPolicies(
  policies: readonly RetentionPolicy[],
  compileRegex: CompileRegex,
  rawKeepMsMin: number,
): void {
  if (policies.length > POLICIES_MAX) {
    throw new RejectedError('invalid', `${policies.length} retention policies, the limit is ${POLICIES_MAX}`);
  }
  for (const { selector, keepMs } of policies) {
    compile(selector, compileRegex);
    const { raw, fiveMinutes, hour } = keepMs;
    const isOrdered = raw <= fiveMinutes && fiveMinutes <= hour;
    if (![raw, fiveMinutes, hour].every(Number.isSafeInteger) || raw < rawKeepMsMin || !isOrdered) {
      throw new RejectedError(
        'invalid',
        `policy ${selector}: raw windows are kept for at least ${rawKeepMsMin / 3_600_000} hours, ` +
          'and coarser ones no shorter than finer ones',
      );
    }
  }
}

function compile(
  selector: string,
  compileRegex: CompileRegex,
): (cluster: string, service: string) => boolean {
  const { matchers, profileType } = parseSelector(selector);
  const other = matchers.find(({ name }) => !POLICY_LABELS.includes(name));
  if (profileType !== '' || other !== undefined) {
    throw new RejectedError(
      'invalid',
      `policy ${selector}: a policy names ${POLICY_LABELS.join(' and ')} alone, not ${other?.name ?? profileType}`,
    );
  }
  const matches = compileMatchers(matchers, compileRegex);
  return (cluster, service) =>
    matches(
      labelsOf([
        [CLUSTER, cluster],
        [SERVICE_NAME, service],
      ]),
    );
}
