import { RejectedError } from '../../core/errors.ts';
import { defaultHubSettings, type Hub, type HubSettings } from '../../pipeline/hub.ts';
import { compileLinearRegex } from '../../pipeline/linear-regex.ts';
import type { BlockCatalog, BlockRow, DeletionMark } from '../../storage/block-catalog.ts';
import { changedIds, checkSwap } from '../../storage/block-catalog.ts';
import { gunzipBounded } from '../../storage/gzip.ts';
import type { LeaseStore } from '../../storage/lease.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import type { Registry } from '../../storage/registry.ts';
import { zstdCodec } from '../../storage/zstd-codec.ts';
import { randomFrom } from '../core/block/fixtures.ts';

/** A hub whose blocks, leases and settings are in memory: for many short runs. It takes no batches. */
export interface MemoryHub extends Hub {
  now: number;
  settings: HubSettings;
  readonly logs: string[];
  /** What was asked of the object store since the last reset. */
  readonly io: { gets: number; bytes: number };
  readonly stored: Map<string, Uint8Array>;
}

export function memoryHub(now: number): MemoryHub {
  const time = { now };
  const clock = () => time.now;
  const stored = new Map<string, Uint8Array>();
  const io = { gets: 0, bytes: 0 };
  const logs: string[] = [];
  const telemetry = { count() {}, gauge() {}, log: (_level: string, text: string) => void logs.push(text) };
  return {
    objects: memoryObjects(stored, io),
    catalog: memoryCatalog(clock),
    leases: memoryLeases(clock),
    registry: memorySettings(),
    queue: undefined as unknown as Hub['queue'],
    access: { kind: 'key-pair' },
    codec: zstdCodec,
    gunzip: gunzipBounded,
    compileRegex: compileLinearRegex,
    clock,
    random: randomFrom(7),
    tenant: 'default',
    settings: defaultHubSettings,
    telemetry,
    logs,
    io,
    stored,
    get now() {
      return time.now;
    },
    set now(value: number) {
      time.now = value;
    },
  };
}

/** Objects in a map; `io` counts what is read of them. */
export function memoryObjects(stored: Map<string, Uint8Array>, io: MemoryHub['io']): ObjectStore {
  const read = (key: string, from: number, until?: number): Uint8Array => {
    const bytes = stored.get(key);
    if (bytes === undefined) throw new RejectedError('not-found', `no object ${key}`);
    const part = bytes.slice(from < 0 ? Math.max(0, bytes.length + from) : from, until);
    io.gets++;
    io.bytes += part.length;
    return part;
  };
  return {
    async put(key, bytes) {
      if (stored.has(key)) return 'exists';
      stored.set(key, bytes.slice());
      return 'created';
    },
    get: async (key) => (stored.has(key) ? read(key, 0) : undefined),
    getRange: async (key, start, end) => read(key, start, end),
    getTail: async (key, length) => ({ bytes: read(key, -length), size: stored.get(key)!.length }),
    delete: async (key) => void stored.delete(key),
    async list(prefix, { after = '', limit }) {
      const keys = [...stored.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
      return keys.slice(0, limit).map((key) => ({ key, size: stored.get(key)!.length, writtenAt: 0 }));
    },
  };
}

function memoryCatalog(clock: () => number): BlockCatalog {
  const rows = new Map<string, BlockRow>();
  const marks = new Map<string, DeletionMark>();
  const tokens = new Set<string>();
  const sorted = () =>
    [...rows.values()].sort((a, b) => a.minTime - b.minTime || (a.blockId < b.blockId ? -1 : 1));
  const isKnown = (id: string) => rows.has(id) || marks.has(id);
  return {
    async publish(row) {
      if (isKnown(row.blockId)) return 'exists';
      rows.set(row.blockId, row);
      return 'published';
    },
    async find({ tenant, from, until, service, starting = false, withAside = false }) {
      const overlaps = (part: { minTime: number; maxTime: number }) =>
        part.minTime < until && part.maxTime > from;
      return sorted().filter(
        (row) =>
          row.tenant === tenant &&
          (withAside || row.aside === undefined) &&
          overlaps(row) &&
          (!starting || row.minTime >= from) &&
          (service === undefined || row.datasets.some((d) => d.service === service && overlaps(d))),
      );
    },
    async get(id, { withAside = false } = {}) {
      const row = rows.get(id);
      return withAside || row?.aside === undefined ? row : undefined;
    },
    async swap(swap) {
      checkSwap(swap);
      if (tokens.has(swap.token)) return 'done';
      const { remove, add, setAside = [], putBack = [], removeAside = [] } = swap;
      const fromAside = new Set([...putBack, ...removeAside]);
      const isThere = (id: string) =>
        rows.has(id) && (rows.get(id)!.aside !== undefined) === fromAside.has(id);
      if (!changedIds(swap).every(isThere) || add.some(({ blockId }) => isKnown(blockId))) return 'conflict';
      for (const id of [...remove, ...removeAside]) {
        const { blockId, tenant, level } = rows.get(id)!;
        marks.set(id, { blockId, tenant, level, markedAt: clock() });
        rows.delete(id);
      }
      for (const row of add) rows.set(row.blockId, row);
      for (const { blockId, aside } of setAside) rows.set(blockId, { ...rows.get(blockId)!, aside });
      for (const id of putBack) {
        const { aside: _, ...row } = rows.get(id)!;
        rows.set(id, row);
      }
      tokens.add(swap.token);
      return 'done';
    },
    listDeletionMarks: async (before) => [...marks.values()].filter(({ markedAt }) => markedAt < before),
    forget: async (id) => void marks.delete(id),
    async list({ tenant, level, after, limit, withAside = false }) {
      const isAfter = (row: BlockRow) =>
        after === undefined ||
        row.minTime > after.minTime ||
        (row.minTime === after.minTime && row.blockId > after.blockId);
      return sorted()
        .filter((row) => row.tenant === tenant && isAfter(row) && (withAside || row.aside === undefined))
        .filter((row) => level === undefined || row.level === level)
        .slice(0, limit);
    },
  };
}

function memoryLeases(clock: () => number): LeaseStore {
  const held = new Map<string, { owner: string; token: number; until: number }>();
  let token = 0;
  const mine = (name: string, owner: string, of: number) => {
    const lease = held.get(name);
    return lease !== undefined && lease.owner === owner && lease.token === of && lease.until > clock()
      ? lease
      : undefined;
  };
  return {
    async acquire(name, owner, ttlMs) {
      if ((held.get(name)?.until ?? 0) > clock()) return undefined;
      held.set(name, { owner, token: ++token, until: clock() + ttlMs });
      return { token };
    },
    async renew(name, owner, of, ttlMs) {
      const lease = mine(name, owner, of);
      if (lease !== undefined) lease.until = clock() + ttlMs;
      return lease !== undefined;
    },
    release: async (name, owner, of) => mine(name, owner, of) !== undefined && held.delete(name),
  };
}

function memorySettings(): Registry {
  const settings = new Map<string, string>();
  const registry: Pick<Registry, 'setting' | 'putSetting' | 'listBatchSequences' | 'listAgents'> = {
    setting: async (key) => settings.get(key),
    putSetting: async (key, value) => void settings.set(key, value),
    listBatchSequences: async () => [],
    listAgents: async () => [],
  };
  return registry as Registry;
}
