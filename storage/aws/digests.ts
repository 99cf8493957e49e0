import { createHash, randomBytes } from 'node:crypto';

/** SHA-256, in hex. */
export function digestOf(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/** A name for one call, to recognize what it wrote. */
export function newNonce(): string {
  return randomBytes(9).toString('base64url');
}
