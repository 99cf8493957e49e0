import { crc32 } from 'node:zlib';
import type { S3Client } from '@aws-sdk/client-s3';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { RejectedError } from '../../core/errors.ts';
import type { ObjectEntry, ObjectStore } from '../object-store.ts';
import {
  checkByteRange,
  checkCount,
  checkKeyPrefix,
  checkObjectKey,
  MAX_LIST_LENGTH,
} from '../object-store.ts';
import { answered, errorName, reactionTo, statusOf } from './aws-errors.ts';
import { CALL_BACKOFF, untilDone } from './backoff.ts';
import { newNonce } from './digests.ts';

/** What the adapter needs of a client; tests put a scripted one in its place. */
export type S3Caller = Pick<S3Client, 'send'>;

/** Metadata that names the put which wrote an object. */
const NONCE = 'cinderblock-put';

/**
 * ObjectStore on an S3 bucket: one request per call. A put carries `If-None-Match: *`, so S3 itself keeps objects from
 * being replaced: 412 says that the key is taken; 409 (ConditionalRequestConflict) that another put of it is under way,
 * of which nobody knows yet how it ends, so the put is made again. Puts carry a CRC-32 that S3 checks; the SDK checks
 * that of whole objects when they are read.
 */
export function s3ObjectStore(client: S3Caller, bucket: string): ObjectStore {
  return {
    async put(key, bytes) {
      checkObjectKey(key);
      return answered(`put ${key}`, () => put(client, bucket, key, bytes));
    },
    async get(key) {
      checkObjectKey(key);
      const found = await read(client, bucket, key);
      return found?.bytes;
    },
    async getRange(key, start, end) {
      checkByteRange(start, end);
      checkObjectKey(key);
      const found = await read(client, bucket, key, `bytes=${start}-${end - 1}`);
      return found?.bytes ?? notFound(key);
    },
    async getTail(key, length) {
      checkCount('length', length);
      checkObjectKey(key);
      return (await read(client, bucket, key, `bytes=-${length}`)) ?? notFound(key);
    },
    async delete(key) {
      checkObjectKey(key);
      await answered(`delete ${key}`, async () => {
        try {
          await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }));
        } catch (error) {
          if (reactionTo(error) !== 'absent') throw error;
        }
      });
    },
    async list(prefix, { after, limit }) {
      checkKeyPrefix(prefix);
      checkCount('limit', limit, MAX_LIST_LENGTH);
      return answered(`list ${prefix}`, () => list(client, bucket, prefix, after, limit));
    },
  };
}

async function put(
  client: S3Caller,
  bucket: string,
  key: string,
  bytes: Uint8Array,
): Promise<'created' | 'exists'> {
  const nonce = newNonce();
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(bytes));
  const command = {
    Bucket: bucket,
    Key: key,
    Body: bytes,
    IfNoneMatch: '*',
    ChecksumCRC32: checksum.toString('base64'),
    Metadata: { [NONCE]: nonce },
  };
  let tries = 0;
  return untilDone<'created' | 'exists'>(`put ${key}`, CALL_BACKOFF, async () => {
    tries++;
    try {
      await client.send(new PutObjectCommand(command));
      return 'created';
    } catch (error) {
      if (reactionTo(error) !== 'condition') throw error;
      const { attempts = 1 } = (error as { $metadata?: { attempts?: number } }).$metadata ?? {};
      if (tries === 1 && attempts === 1) return 'exists';
      // An earlier try may have gone through without an answer: then the object that is in the way is our own.
      return (await nonceOf(client, bucket, key)) === nonce ? 'created' : 'exists';
    }
  });
}

async function nonceOf(client: S3Caller, bucket: string, key: string): Promise<string | undefined> {
  const head = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
  return head.Metadata?.[NONCE];
}

/** The bytes of a range, or all, and the size of the object; undefined when there is none. One request. */
async function read(
  client: S3Caller,
  bucket: string,
  key: string,
  range?: string,
): Promise<{ bytes: Uint8Array; size: number } | undefined> {
  return answered(`read ${key}`, async () => {
    try {
      const answer = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key, Range: range }));
      const bytes = (await answer.Body?.transformToByteArray()) ?? new Uint8Array();
      return { bytes, size: sizeOf(answer.ContentRange) ?? bytes.length };
    } catch (error) {
      if (reactionTo(error) === 'absent') return undefined;
      // A range that begins past the end, or the tail of an empty object: none of its bytes are there.
      if (errorName(error) === 'InvalidRange' || statusOf(error) === 416)
        return { bytes: new Uint8Array(), size: 0 };
      throw error;
    }
  });
}

/** The size after the slash of `bytes 0-9/1234`. */
function sizeOf(contentRange: string | undefined): number | undefined {
  const digits = /\/(\d+)$/.exec(contentRange ?? '')?.[1];
  return digits === undefined ? undefined : Number(digits);
}

async function list(
  client: S3Caller,
  bucket: string,
  prefix: string,
  after: string | undefined,
  limit: number,
): Promise<ObjectEntry[]> {
  const page = await client.send(
    new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, StartAfter: after, MaxKeys: limit }),
  );
  return (page.Contents ?? []).map(({ Key = '', Size = 0, LastModified }) => {
    return { key: Key, size: Size, writtenAt: LastModified?.getTime() ?? 0 };
  });
}

function notFound(key: string): never {
  throw new RejectedError('not-found', `there is no object ${key}`);
}
