import { S3Client } from '@aws-sdk/client-s3';
import type { ObjectStore } from '../object-store.ts';
import { type AwsPlace, clientOptions } from './client-options.ts';
import { s3ObjectStore } from './s3-object-store.ts';

/** The object store alone, for who needs no other port: without the clients of the other services. */
export function openAwsObjects(place: AwsPlace & { bucket: string }): ObjectStore {
  const forcePathStyle = place.endpoint !== undefined;
  return s3ObjectStore(new S3Client({ ...clientOptions(place), forcePathStyle }), place.bucket);
}
