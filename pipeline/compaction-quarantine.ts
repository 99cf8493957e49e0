import type { Hub } from './hub.ts';

/** A group of blocks whose compaction failed: it is left alone for a while, and all others go on. */
export interface QuarantinedGroup {
  readonly group: string;
  /** What the last failure said. */
  readonly reason: string;
  readonly blockIds: readonly string[];
  /** In a row. */
  readonly failures: number;
  /** Of the first of them, ms since epoch. */
  readonly since: number;
  /** When it is tried again. */
  readonly until: number;
}

const BACKOFF_MIN_MS = 15 * 60_000;
const BACKOFF_MAX_MS = 24 * 3_600_000;
/** Longest reason that is kept, in characters. */
const REASON_LENGTH_MAX = 500;

/** All groups in quarantine, by name; also those whose time to be tried again has come. */
export async function listQuarantinedGroups(hub: Hub): Promise<QuarantinedGroup[]> {
  const text = await hub.registry.setting(settingOf(hub));
  return text === undefined || text === '' ? [] : JSON.parse(text);
}

/** Leaves a group alone: 15 minutes after its first failure, twice as long after each further one, up to a day. */
export async function quarantineGroup(
  hub: Hub,
  { group, blockIds }: { group: string; blockIds: readonly string[] },
  reason: string,
): Promise<QuarantinedGroup> {
  const others = await listQuarantinedGroups(hub);
  const before = others.find((one) => one.group === group);
  const failures = (before?.failures ?? 0) + 1;
  const now = hub.clock();
  const entry: QuarantinedGroup = {
    group,
    reason: reason.slice(0, REASON_LENGTH_MAX),
    blockIds,
    failures,
    since: before?.since ?? now,
    until: now + Math.min(BACKOFF_MIN_MS * 2 ** (failures - 1), BACKOFF_MAX_MS),
  };
  await keep(hub, [...others.filter((one) => one.group !== group), entry]);
  return entry;
}

/** Lets a group be compacted again at once. False when it is not in quarantine. */
export async function releaseGroup(hub: Hub, group: string): Promise<boolean> {
  const all = await listQuarantinedGroups(hub);
  const rest = all.filter((one) => one.group !== group);
  if (rest.length === all.length) return false;
  await keep(hub, rest);
  return true;
}

/**
 * Forgets groups whose blocks are all gone: others merged or dropped them. Answers those that are left. A group that names
 * no block stays.
 * @param there blocks that are known to be there; others are looked up until one is
 */
export async function dropGoneGroups(
  hub: Hub,
  groups: readonly QuarantinedGroup[],
  there: ReadonlySet<string>,
): Promise<QuarantinedGroup[]> {
  const gone = new Map<string, number>();
  for (const { group, blockIds, until } of groups)
    if (blockIds.length > 0 && !(await isAnyThere(hub, blockIds, there))) gone.set(group, until);
  if (gone.size === 0) return [...groups];
  // One that failed again meanwhile has other blocks.
  const left = (await listQuarantinedGroups(hub)).filter(({ group, until }) => gone.get(group) !== until);
  await keep(hub, left);
  return left;
}

async function isAnyThere(
  hub: Hub,
  blockIds: readonly string[],
  there: ReadonlySet<string>,
): Promise<boolean> {
  if (blockIds.some((id) => there.has(id))) return true;
  for (const id of blockIds) if ((await hub.catalog.get(id, { withAside: true })) !== undefined) return true;
  return false;
}

/** Two writers at once may lose an entry of one another; its group then fails and comes back. */
async function keep(hub: Hub, groups: QuarantinedGroup[]): Promise<void> {
  groups.sort((a, b) => (a.group < b.group ? -1 : 1));
  await hub.registry.putSetting(settingOf(hub), JSON.stringify(groups));
  hub.telemetry.gauge('compaction_quarantined_groups', groups.length);
}

function settingOf(hub: Hub): string {
  return `compaction-quarantine/${hub.tenant}`;
}
