import { limitExceeded } from '../core/errors.ts';
import {
  CLUSTER,
  type Labels,
  labelsOf,
  labelValue,
  SERVICE_NAME,
  UNKNOWN_SERVICE,
} from '../core/labels/labels.ts';
import type { ValueType } from '../core/labels/profile-type.ts';
import { addOtlp } from '../core/otlp/decode-otlp.ts';
import { addPprof } from '../core/pprof/decode-pprof.ts';
import { DEFAULT_PPROF_LIMITS } from '../core/pprof/pprof-limits.ts';
import { addFolded, type FoldedProfile } from '../core/profile/folded-profile.ts';
import { isGzip } from '../storage/gzip.ts';
import type { Hub } from './hub.ts';
import { type PushTarget, storePush } from './push-group.ts';

// Profiles that SDKs and collectors push become batches here, and go on as every batch does. A push has no identity of
// its own, so a client that repeats one after an unclear answer stores it twice; only agents can promise exactly once.

/**
 * How an SDK describes a sample type in `sample_type_config`. Only the display name is used, for the first part of the
 * profile type id; the unit is the profile's own, as in Pyroscope (the Go SDK says "objects" where the profile counts).
 */
export interface SampleTypeConfig {
  readonly units?: string;
  readonly displayName?: string;
  readonly sampled?: boolean;
  readonly cumulative?: boolean;
}

/** One pushed pprof profile. */
export interface PushedPprof {
  /** With service_name; `cluster` is set by the hub. */
  readonly labels: Labels;
  /** Protobuf, gzipped or not. */
  readonly bytes: Uint8Array;
  /** First part of the profile type ids; absent = derived from the sample types. */
  readonly profileName?: string;
  readonly sampleTypes?: Readonly<Record<string, SampleTypeConfig>>;
  /** Window, ms since epoch, instead of what the profile says. */
  readonly startMs?: number;
  readonly endMs?: number;
}

/** Stores pushed pprof profiles, all or none. @throws MalformedInputError, RejectedError */
export async function ingestPprof(
  hub: Hub,
  request: { cluster: string; profiles: readonly PushedPprof[] },
): Promise<{ batchId: string }> {
  const raws = request.profiles.map((profile) => inflated(hub, profile.bytes));
  const rawBytes = raws.reduce((sum, raw) => sum + raw.length, 0);
  const { batchId } = await storePush(hub, request.cluster, rawBytes, (target) => {
    for (const [i, profile] of request.profiles.entries()) addPushedPprof(hub, target, profile, raws[i]!);
  });
  return { batchId };
}

/** Stores an OTLP profiles request (v1.10 layout). @throws MalformedInputError, RejectedError */
export async function ingestOtlp(
  hub: Hub,
  request: { cluster: string; bytes: Uint8Array },
): Promise<{ rejectedProfiles: number; message: string }> {
  const { bytes, cluster } = request;
  const { result } = await storePush(hub, cluster, bytes.length, ({ builder, nextBatch, checkEnd }) => {
    const summary = addOtlp(bytes, {
      now: hub.clock(),
      target: (resource) => {
        const service = String(resource.get('service.name') ?? '') || unnamedService(resource);
        const labels = labelsOf([...resourceLabels(resource), [SERVICE_NAME, service], [CLUSTER, cluster]]);
        return { dataset: builder.dataset(service), labels, batch: nextBatch() };
      },
    });
    checkEnd(summary.endMs);
    return summary;
  });
  return { rejectedProfiles: result.rejectedProfiles, message: result.message };
}

/** Stores folded text ("a;b;c 12" per line). @throws MalformedInputError, RejectedError */
export async function ingestFolded(
  hub: Hub,
  request: { cluster: string; labels: Labels } & Omit<FoldedProfile, 'labels' | 'batch'>,
): Promise<{ batchId: string }> {
  const { cluster, text } = request;
  const { batchId } = await storePush(hub, cluster, text.length, ({ builder, nextBatch, checkEnd }) => {
    checkEnd(request.startMs + request.durationMs);
    const labels = pushLabels(request.labels, cluster);
    addFolded(builder.dataset(labelValue(labels, SERVICE_NAME)), { ...request, labels, batch: nextBatch() });
  });
  return { batchId };
}

function inflated(hub: Hub, bytes: Uint8Array): Uint8Array {
  const limit = { name: 'pprofBytesMax', value: hub.settings.pprofBytesMax, unit: 'bytes' };
  const raw = isGzip(bytes) ? hub.gunzip(bytes, limit.value) : bytes;
  if (raw.length > limit.value) throw limitExceeded(limit, raw.length);
  return raw;
}

function addPushedPprof(hub: Hub, target: PushTarget, profile: PushedPprof, raw: Uint8Array): void {
  const labels = pushLabels(profile.labels, target.cluster);
  const { startMs, endMs, sampleTypes } = profile;
  const hasWindow = startMs !== undefined && endMs !== undefined && endMs > startMs;
  const { start, durationMs } = addPprof(target.builder.dataset(labelValue(labels, SERVICE_NAME)), raw, {
    labels,
    batch: target.nextBatch(),
    now: hub.clock(),
    start: startMs,
    durationMs: hasWindow ? endMs - startMs : undefined,
    limits: DEFAULT_PPROF_LIMITS,
    keepAddresses: 'unsymbolized',
    profileName: (types) =>
      profile.profileName ?? profileNameOf(types.map((type) => displayName(type, sampleTypes))),
  });
  target.checkEnd(start + durationMs);
}

/** What an SDK calls a sample type; the table is what Pyroscope falls back to when no config came. */
function displayName(type: ValueType, config: PushedPprof['sampleTypes']): string {
  if (config !== undefined) return config[type.type]?.displayName ?? type.type;
  return DEFAULT_DISPLAY_NAMES[type.type] ?? type.type;
}

const DEFAULT_DISPLAY_NAMES: Readonly<Record<string, string>> = {
  __proto__: null as never,
  samples: 'cpu',
  contentions: 'mutex_count',
  delay: 'mutex_duration',
  goroutine: 'goroutines',
};

/** First part of the profile type ids, as Pyroscope derives it, so that its clients find what they pushed. */
export function profileNameOf(displayNames: readonly string[]): string {
  if (displayNames.includes('wall')) return 'wall';
  for (const name of displayNames) {
    if (name.includes('cpu')) return 'process_cpu';
    if (/^(alloc_|inuse_|space$|objects$)/.test(name)) return 'memory';
    if (name.startsWith('mutex_')) return 'mutex';
    if (name.startsWith('block_')) return 'block';
    if (name.startsWith('goroutines')) return 'goroutines';
  }
  return displayNames[0]?.replaceAll(':', '_') || 'unknown';
}

function pushLabels(labels: Labels, cluster: string): Labels {
  const service = labelValue(labels, SERVICE_NAME) || UNKNOWN_SERVICE;
  return labelsOf([...labels, [SERVICE_NAME, service], [CLUSTER, cluster]]);
}

function unnamedService(resource: ReadonlyMap<string, unknown>): string {
  const executable = resource.get('process.executable.name');
  return executable ? `${UNKNOWN_SERVICE}:${executable}` : UNKNOWN_SERVICE;
}

/** Resource attributes that become labels; the rest (paths, command lines, pids) multiplies series or tells too much. */
const RESOURCE_LABELS: Readonly<Record<string, string>> = {
  'host.name': 'node',
  'k8s.node.name': 'node',
  'k8s.namespace.name': 'namespace',
  'k8s.pod.name': 'pod',
  'k8s.container.name': 'container',
  'container.id': 'container_id',
  'process.executable.name': 'executable',
  'deployment.environment.name': 'environment',
  'service.namespace': 'service_namespace',
  'service.version': 'service_version',
};

function* resourceLabels(resource: ReadonlyMap<string, unknown>): Generator<[string, string]> {
  for (const [attribute, label] of Object.entries(RESOURCE_LABELS)) {
    const value = resource.get(attribute);
    if (value !== undefined) yield [label, String(value)];
  }
}
