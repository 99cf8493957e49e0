// The layout of object keys: the only place that spells them. Free of any SDK, so that tools and infrastructure code
// may read it too.
import { RejectedError } from '../core/errors.ts';
import { checkObjectKey, isKeySegment } from './object-store.ts';

/** First segment of every block's key. */
export const BLOCKS = 'blocks';

/** First segment of the key of every batch that was too large to travel inside the queue. */
export const INBOX = 'inbox';

/** First segment of the keys of what names the batches of sealed families. */
export const SEALED = 'sealed';

/** First segment of the keys of batches that can never be stored. */
export const QUARANTINE = 'quarantine';

/** Highest compaction level that a key can hold. */
export const MAX_LEVEL = 99;

export interface BlockName {
  tenant: string;
  level: number;
  blockId: string;
}

export interface InboxName {
  tenant: string;
  cluster: string;
  batchId: string;
}

export interface QuarantineName {
  tenant: string;
  cluster: string;
  /** Names one delivery of one batch. */
  name: string;
}

export interface SealedName {
  tenant: string;
  /** Days since epoch: when the family's batches begin. */
  day: number;
  /** Id of the family. */
  family: string;
}

/** `blocks/<tenant>/<level>/<blockId>.block`. @throws RejectedError 'invalid' when a part cannot stand in a key. */
export function blockKey(tenant: string, level: number, blockId: string): string {
  checkPart('tenant', tenant);
  checkPart('block id', blockId);
  if (!Number.isInteger(level) || level < 0 || level > MAX_LEVEL) {
    throw new RejectedError('invalid', `compaction level ${level} is not an integer from 0 to ${MAX_LEVEL}`);
  }
  return checked(`${blocksPrefix(tenant)}${level}/${blockId}.block`);
}

/** `blocks/<tenant>/`: what the keys of a tenant's blocks begin with. */
export function blocksPrefix(tenant: string): string {
  checkPart('tenant', tenant);
  return `${BLOCKS}/${tenant}/`;
}

/** The parts of a block's key, or undefined when `blockKey` would not have built it. */
export function parseBlockKey(key: string): BlockName | undefined {
  const match = /^blocks\/([^/]+)\/(0|[1-9][0-9]?)\/([^/]+)\.block$/.exec(key);
  if (!match) return undefined;
  const [, tenant, level, blockId] = match;
  return rebuilt(key, { tenant, level: Number(level), blockId }, (name) =>
    blockKey(name.tenant, name.level, name.blockId),
  );
}

/** `inbox/<tenant>/<cluster>/<batchId>.batch`. @throws RejectedError 'invalid' when a part cannot stand in a key. */
export function inboxKey(tenant: string, cluster: string, batchId: string): string {
  checkPart('cluster', cluster);
  checkPart('batch id', batchId);
  return checked(`${inboxPrefix(tenant)}${cluster}/${batchId}.batch`);
}

/** `inbox/<tenant>/`: what the keys of a tenant's waiting batches begin with. */
export function inboxPrefix(tenant: string): string {
  checkPart('tenant', tenant);
  return `${INBOX}/${tenant}/`;
}

/** The parts of a waiting batch's key, or undefined when `inboxKey` would not have built it. */
export function parseInboxKey(key: string): InboxName | undefined {
  const match = /^inbox\/([^/]+)\/([^/]+)\/([^/]+)\.batch$/.exec(key);
  if (!match) return undefined;
  const [, tenant, cluster, batchId] = match;
  return rebuilt(key, { tenant, cluster, batchId }, (name) =>
    inboxKey(name.tenant, name.cluster, name.batchId),
  );
}

/** `sealed/<tenant>/<day>/<family>.batches`. @throws RejectedError 'invalid' when a part cannot stand in a key. */
export function sealedKey({ tenant, day, family }: SealedName): string {
  checkPart('family', family);
  return checked(`${sealedPrefix(tenant, day)}${family}.batches`);
}

/** `sealed/<tenant>/`, or of one day `sealed/<tenant>/<day>/`: what the keys of sealed batches begin with. */
export function sealedPrefix(tenant: string, day?: number): string {
  checkPart('tenant', tenant);
  if (day === undefined) return `${SEALED}/${tenant}/`;
  if (!Number.isSafeInteger(day) || day < 0)
    throw new RejectedError('invalid', `day ${day} is no whole number`);
  return `${SEALED}/${tenant}/${day}/`;
}

/** The parts of the key of sealed batches, or undefined when `sealedKey` would not have built it. */
export function parseSealedKey(key: string): SealedName | undefined {
  const match = /^sealed\/([^/]+)\/(0|[1-9][0-9]*)\/([^/]+)\.batches$/.exec(key);
  if (!match) return undefined;
  const [, tenant, day, family] = match;
  return rebuilt(key, { tenant, day: Number(day), family }, sealedKey);
}

/**
 * The two objects of a batch in quarantine: `quarantine/<tenant>/<cluster>/<name>.batch`, its bytes, and
 * `….reason.json`, why it is there. @throws RejectedError 'invalid' when a part cannot stand in a key.
 */
export function quarantineKeys({ tenant, cluster, name }: QuarantineName): { batch: string; reason: string } {
  checkPart('cluster', cluster);
  checkPart('quarantined batch', name);
  const stem = `${quarantinePrefix(tenant)}${cluster}/${name}`;
  return { batch: checked(`${stem}.batch`), reason: checked(`${stem}.reason.json`) };
}

/** `quarantine/<tenant>/`: what the keys of a tenant's quarantined batches begin with. */
export function quarantinePrefix(tenant: string): string {
  checkPart('tenant', tenant);
  return `${QUARANTINE}/${tenant}/`;
}

/** The parts of the key of a quarantined batch's bytes, or undefined when `quarantineKeys` would not have built it. */
export function parseQuarantineKey(key: string): QuarantineName | undefined {
  const match = /^quarantine\/([^/]+)\/([^/]+)\/([^/]+)\.batch$/.exec(key);
  if (!match) return undefined;
  const [, tenant, cluster, name] = match;
  return rebuilt(key, { tenant, cluster, name }, (parts) => quarantineKeys(parts).batch);
}

function checkPart(what: string, part: string): void {
  if (isKeySegment(part)) return;
  throw new RejectedError('invalid', `${what} ${JSON.stringify(part)} is not made of A-Z a-z 0-9 . _ = -`);
}

function checked(key: string): string {
  checkObjectKey(key);
  return key;
}

/** `name` when `build` turns it into `key` again: so a parser accepts exactly what its builder makes. */
function rebuilt<T>(key: string, name: T, build: (name: T) => string): T | undefined {
  try {
    return build(name) === key ? name : undefined;
  } catch (error) {
    if (error instanceof RejectedError) return undefined;
    throw error;
  }
}
