import {
  checkPolicies,
  DEFAULT_KEEP,
  type KeepTimes,
  type RetentionPolicy,
  RetentionRules,
} from '../core/retention/retention-policy.ts';
import type { Hub } from './hub.ts';
import { changeSharedSetting, readSharedSetting } from './shared-setting.ts';

const SETTING = 'retention';
const VERSION = 1;
const DAY_MS = 24 * 3_600_000;

/** What is kept, and for how long. */
export interface RetentionSettings {
  /** The first one that matches counts. */
  readonly policies: readonly RetentionPolicy[];
  /** For what none matches. */
  readonly fallback: KeepTimes;
  /** Raw windows are kept this long at least: until they are sealed with their downsampled versions, and a day more. */
  readonly rawKeepMsMin: number;
}

export async function getRetention(hub: Hub): Promise<RetentionSettings> {
  const policies = await readSharedSetting<RetentionPolicy[]>(hub, SETTING, VERSION);
  return { policies: policies ?? [], fallback: fallbackOf(hub), rawKeepMsMin: rawKeepMsMin(hub) };
}

/**
 * Replaces all policies.
 * @throws RejectedError('invalid') that names the policy and what is wrong with it; RetryableError while somebody else
 *   changes them
 */
export async function setRetention(
  hub: Hub,
  policies: readonly RetentionPolicy[],
): Promise<RetentionSettings> {
  checkPolicies(policies, hub.compileRegex, rawKeepMsMin(hub));
  const kept = policies.map(({ selector, keepMs: { raw, fiveMinutes, hour } }) => ({
    selector,
    keepMs: { raw, fiveMinutes, hour },
  }));
  await changeSharedSetting<readonly RetentionPolicy[]>(hub, SETTING, VERSION, () => kept);
  hub.telemetry.log('info', `retention: ${kept.length} policies are set`);
  return getRetention(hub);
}

/** The policies in force, ready to be asked. */
export async function retentionRules(hub: Hub): Promise<RetentionRules> {
  const { policies, fallback } = await getRetention(hub);
  return new RetentionRules(policies, hub.compileRegex, fallback);
}

function fallbackOf(hub: Hub): KeepTimes {
  return hub.settings.keepMs ?? DEFAULT_KEEP;
}

function rawKeepMsMin({ settings }: Hub): number {
  return settings.compaction.sealAfterMs + DAY_MS;
}
