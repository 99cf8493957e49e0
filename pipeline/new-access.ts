import type { Cluster, Credential } from '../storage/registry.ts';
import type { Hub } from './hub.ts';

/** What a cluster needs to get in, as it is told once to whoever added or rotated it. */
export type IssuedAccess =
  | { readonly kind: 'key-pair'; readonly accessKeyId: string; readonly secret: string }
  | ({ readonly kind: 'role' } & RoleAccess);

/** The role of a cluster in the hub's account, and what its own account shows to become that role. */
export interface RoleAccess {
  readonly roleArn: string;
  /** Newest first. */
  readonly externalIds: readonly string[];
  readonly ingestUrl: string;
  readonly region: string;
  readonly account: string;
}

/** A fresh key pair: 80 random bits of id, 240 of secret, in the alphabets that AWS uses. */
export function newCredential(cluster: string, now: number): Credential {
  const id = [...randomBytes(10)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return { accessKeyId: `CB${id.toUpperCase()}`, secret: randomText(30), cluster, createdAt: now };
}

/** Random bytes as text of A-Z a-z 0-9 _ -, 4 characters for 3 bytes. */
export function randomText(bytes: number): string {
  return btoa(String.fromCharCode(...randomBytes(bytes)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}

/** 122 random bits, which nobody but the hub and the cluster's account knows. */
export function newExternalId(): string {
  return crypto.randomUUID();
}

/** Undefined on hubs that issue key pairs. */
export function roleAccess({ access }: Hub, { cluster, externalIds = [] }: Cluster): RoleAccess | undefined {
  if (access.kind !== 'role') return undefined;
  const { account, region, ingestUrl, rolePrefix } = access;
  const roleArn = `arn:${partitionOf(region)}:iam::${account}:role/${rolePrefix}${cluster}`;
  return { roleArn, externalIds, ingestUrl, region, account };
}

function partitionOf(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn';
  return region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
}

function randomBytes(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length));
}
