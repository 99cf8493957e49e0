import { RejectedError } from '../core/errors.ts';

/** Longest object key, in characters. S3 allows 1,024 bytes; the rest is left to prefixes that an operator may add. */
export const MAX_KEY_LENGTH = 512;

/** Longest segment of a key, in characters: the longest file name that common file systems take. */
export const MAX_SEGMENT_LENGTH = 255;

/** Most entries that one call of `list` answers (the page size of S3). */
export const MAX_LIST_LENGTH = 1000;

/** One object as `list` shows it. */
export interface ObjectEntry {
  key: string;
  /** In bytes. */
  size: number;
  /** When the object was put, in ms since epoch. */
  writtenAt: number;
}

/**
 * Immutable objects by key, create-only (S3 with `If-None-Match: *`, or files).
 *
 * Keys are segments joined by '/', see `checkObjectKey`. They form a tree: where one key is an object, no other key may
 * lie below it, and a store may refuse such a put with RejectedError('invalid').
 *
 * Every method throws RejectedError('invalid') for a key, range or limit that breaks the rules here, and RetryableError
 * when the storage below does not answer, throttles or is full.
 */
export interface ObjectStore {
  /**
   * Stores `bytes` under `key` unless the key is taken. Never replaces an object: 'exists' says that the key is taken,
   * even by equal bytes. Of parallel puts of one key exactly one answers 'created'. In both cases the object is whole
   * and durable when the promise resolves. After RetryableError the put may or may not have happened; put again.
   */
  put(key: string, bytes: Uint8Array): Promise<'created' | 'exists'>;

  /** The whole object, or undefined when there is none. */
  get(key: string): Promise<Uint8Array | undefined>;

  /**
   * The bytes [start, end), clamped at the end of the object: fewer than asked, or none, when it ends earlier.
   * @throws RejectedError 'not-found' when there is no such object; 'invalid' unless 0 ≤ start < end, both integers.
   */
  getRange(key: string, start: number, end: number): Promise<Uint8Array>;

  /**
   * The last `length` bytes (all of a shorter object) and the size of the object, in one request.
   * @throws RejectedError 'not-found' when there is no such object; 'invalid' unless `length` is a positive integer.
   */
  getTail(key: string, length: number): Promise<{ bytes: Uint8Array; size: number }>;

  /** Removes the object; it is no error when there is none. */
  delete(key: string): Promise<void>;

  /**
   * Objects whose key begins with `prefix` (any leading part of a key, '' for all), after `after` (exclusive), in
   * ascending order of their ASCII keys, at most `limit` (1 to MAX_LIST_LENGTH). For the sweeper and tools only: no hot path lists.
   */
  list(prefix: string, options: { after?: string; limit: number }): Promise<ObjectEntry[]>;
}

const SEGMENT = /^[A-Za-z0-9._=-]+$/;

/** Whether `segment` may stand between two '/' of a key. */
export function isKeySegment(segment: string): boolean {
  return SEGMENT.test(segment) && segment !== '.' && segment !== '..' && segment.length <= MAX_SEGMENT_LENGTH;
}

/** @throws RejectedError 'invalid' unless `key` is one or more valid segments joined by '/', of at most MAX_KEY_LENGTH. */
export function checkObjectKey(key: string): void {
  if (key.length > MAX_KEY_LENGTH) {
    throw new RejectedError(
      'invalid',
      `object key has ${key.length} characters, at most ${MAX_KEY_LENGTH} are allowed`,
    );
  }
  if (!key.split('/').every(isKeySegment)) {
    throw new RejectedError(
      'invalid',
      `object key ${JSON.stringify(key)} is not made of segments of A-Z a-z 0-9 . _ = - joined by '/'`,
    );
  }
}

/** As checkObjectKey, for the leading part of a key: its last segment may be cut anywhere, or be empty. */
export function checkKeyPrefix(prefix: string): void {
  const segments = prefix.split('/');
  const partial = segments.pop() ?? '';
  const valid = segments.every(isKeySegment) && /^[A-Za-z0-9._=-]*$/.test(partial);
  if (!valid || prefix.length > MAX_KEY_LENGTH) {
    throw new RejectedError(
      'invalid',
      `${JSON.stringify(prefix.slice(0, MAX_KEY_LENGTH))} cannot begin an object key`,
    );
  }
}

/** @throws RejectedError 'invalid' unless 0 ≤ start < end, both safe integers. */
export function checkByteRange(start: number, end: number): void {
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || start >= end) {
    throw new RejectedError('invalid', `[${start}, ${end}) is not a range of bytes`);
  }
}

/** @throws RejectedError 'invalid' unless `count` is an integer from 1 to `most`; `what` names it in the message. */
export function checkCount(what: string, count: number, most: number = Number.MAX_SAFE_INTEGER): void {
  if (!Number.isSafeInteger(count) || count < 1 || count > most) {
    throw new RejectedError('invalid', `${what} is ${count}, it must be an integer from 1 to ${most}`);
  }
}
