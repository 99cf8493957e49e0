import type { Hub } from './hub.ts';
import { HOUR_MS } from './loss-sums.ts';

// Between which sequence numbers the batches of each boot lay up to the end of an hour. With it, the batches that are
// missing between two hours are known from either hour's ledger alone.

/** Sequence numbers [first, end) of one boot, and the hour of its newest batch. */
export interface BootExtent {
  first: number;
  end: number;
  hour: number;
}

/** By cluster, then by a digest of node and boot id, so that no cluster can reach another's. */
export type BootExtents = Map<string, Map<string, BootExtent>>;

/** A boot that sent nothing for so long is forgotten: if it goes on, what is missing between is not counted. */
const MEMORY_HOURS = 72;

/** Most boots that are remembered, so that a value stays within what DynamoDB stores (400 KB); the longest silent go first. */
const BOOTS_MAX = 12_000;

/** Hours whose values are kept: as many as may be summed again. */
const HOURS_KEPT = 14 * 24;

const VERSION = 1;

export function extentsOfCluster(extents: BootExtents, cluster: string): Map<string, BootExtent> {
  let boots = extents.get(cluster);
  if (boots === undefined) extents.set(cluster, (boots = new Map()));
  return boots;
}

/** 64 bits of FNV-1a, in two lanes that begin differently. http://www.isthe.com/chongo/tech/comp/fnv/ */
export function bootDigest(node: string, bootId: string): string {
  const text = `${node}/${bootId}`;
  let a = 0x811c9dc5;
  let b = 0xc9dc5811;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code ^ (a >>> 15), 0x01000193);
  }
  return (a >>> 0).toString(36) + (b >>> 0).toString(36).padStart(7, '0');
}

/** As of the end of `hour`; empty when that was not summed. */
export async function readExtents(hub: Hub, hour: number): Promise<BootExtents> {
  const text = await hub.registry.setting(extentsKey(hour));
  return (text === undefined ? undefined : decodeExtents(text, hour)) ?? new Map();
}

/** Answers whether they differ from what was known. */
export async function writeExtents(hub: Hub, hour: number, extents: BootExtents): Promise<boolean> {
  const text = encodeExtents(withinBounds(hub, hour, extents), hour);
  if ((await hub.registry.setting(extentsKey(hour))) === text) return false;
  await hub.registry.putSetting(extentsKey(hour), text);
  return true;
}

/** Keys are used again after HOURS_KEPT; each value says of which hour it is. */
function extentsKey(hour: number): string {
  return `loss/boots/${(hour / HOUR_MS) % HOURS_KEPT}`;
}

function withinBounds(hub: Hub, hour: number, extents: BootExtents): BootExtents {
  const oldest = hour - MEMORY_HOURS * HOUR_MS;
  const boots = [...extents].flatMap(([cluster, known]) =>
    [...known].map(([digest, extent]) => ({ cluster, digest, extent })),
  );
  const kept = boots.filter(({ extent }) => extent.hour > oldest);
  if (kept.length > BOOTS_MAX) {
    kept.sort((a, b) => b.extent.hour - a.extent.hour);
    hub.telemetry.log(
      'warn',
      `${kept.length} boots of agents sent batches within ${MEMORY_HOURS} hours, ${BOOTS_MAX} are remembered: of the others, batches missing between two hours are not counted`,
    );
  }
  const bounded: BootExtents = new Map();
  for (const { cluster, digest, extent } of kept.slice(0, BOOTS_MAX))
    extentsOfCluster(bounded, cluster).set(digest, extent);
  return bounded;
}

/** Per boot `digest.end.silent hours.first`, numbers in base 36, zeros at the end left out; always in the same order. */
function encodeExtents(extents: BootExtents, hour: number): string {
  const clusters = [...extents].map(([cluster, boots]) => {
    const entries = [...boots].map(([digest, extent]) => {
      const numbers = [extent.end, (hour - extent.hour) / HOUR_MS, extent.first];
      return [digest, ...numbers.map((value) => value.toString(36))].join('.').replace(/(\.0)+$/, '');
    });
    return [cluster, entries.sort().join(' ')];
  });
  clusters.sort(([a], [b]) => (a! < b! ? -1 : 1));
  return JSON.stringify({ v: VERSION, hour, clusters: Object.fromEntries(clusters) });
}

/** Undefined when it is of another hour. */
function decodeExtents(text: string, hour: number): BootExtents | undefined {
  const value = JSON.parse(text);
  if (value.v !== VERSION || value.hour !== hour) return undefined;
  const extents: BootExtents = new Map();
  for (const [cluster, entries] of Object.entries<string>(value.clusters)) {
    const boots = extentsOfCluster(extents, cluster);
    for (const entry of entries.split(' ')) {
      const [digest, ...numbers] = entry.split('.');
      const [end = 0, silent = 0, first = 0] = numbers.map((digits) => Number.parseInt(digits, 36));
      boots.set(digest!, { first, end, hour: hour - silent * HOUR_MS });
    }
  }
  return extents;
}
