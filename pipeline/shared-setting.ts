import { newBlockId } from '../core/block/block-id.ts';
import { RejectedError, RetryableError } from '../core/errors.ts';
import type { Hub } from './hub.ts';

/** How long somebody who changes a setting keeps others from doing so, ms. */
const CHANGE_LEASE_MS = 30_000;

/** Longest setting, in characters: one item of DynamoDB takes 400 KB. */
export const SETTING_LENGTH_MAX = 256 * 1024;

/** The value of a setting that is kept as JSON under a version; undefined before it was first written. */
export async function readSharedSetting<T>(hub: Hub, name: string, version: number): Promise<T | undefined> {
  const text = await hub.registry.setting(`${name}/${hub.tenant}`);
  if (text === undefined || text === '') return undefined;
  const kept = JSON.parse(text) as { version: number; value: T };
  if (kept.version === version) return kept.value;
  throw new RejectedError(
    'invalid',
    `the setting ${name} is of version ${kept.version}, this hub knows ${version}: run the newer hub`,
  );
}

/**
 * Changes such a setting alone, so that of two who change it at once neither loses the other's change.
 * @param change from the present value to the next
 * @throws RetryableError while somebody else changes it; RejectedError('too-large') when it grows too long
 */
export async function changeSharedSetting<T>(
  hub: Hub,
  name: string,
  version: number,
  change: (value: T | undefined) => T,
): Promise<T> {
  const lease = `${name}/${hub.tenant}`;
  const owner = newBlockId(hub.clock(), () => hub.random());
  const held = await hub.leases.acquire(lease, owner, CHANGE_LEASE_MS);
  if (held === undefined) throw new RetryableError(`somebody else changes the setting ${name} just now`);
  try {
    const value = change(await readSharedSetting<T>(hub, name, version));
    const text = JSON.stringify({ version, value });
    if (text.length > SETTING_LENGTH_MAX) {
      throw new RejectedError(
        'too-large',
        `the setting ${name} would have ${text.length} characters, the limit is ${SETTING_LENGTH_MAX}: make it of fewer or shorter entries`,
      );
    }
    if (!(await hub.leases.renew(lease, owner, held.token, CHANGE_LEASE_MS)))
      throw new RetryableError(`changing the setting ${name} took too long`);
    await hub.registry.putSetting(lease, text);
    return value;
  } finally {
    await hub.leases.release(lease, owner, held.token);
  }
}
