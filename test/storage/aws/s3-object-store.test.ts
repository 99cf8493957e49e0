import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RejectedError, RetryableError } from '../../../core/errors.ts';
import { s3ObjectStore } from '../../../storage/aws/s3-object-store.ts';
import { seededFaults } from '../../../storage/faults/fault-plan.ts';
import { withFaults } from '../../../storage/faults/with-faults.ts';
import { awsError, type Command, scriptedClient, tally } from './command-clients.ts';

const BYTES = Uint8Array.of(1, 2, 3);

function storeOn(answer: (command: Command, ordinal: number) => unknown) {
  const client = scriptedClient(answer);
  return { client, store: s3ObjectStore(client, 'blocks') };
}

test('a put is one request that replaces nothing and carries its checksum', async () => {
  const { client, store } = storeOn(() => ({}));
  assert.equal(await store.put('a/b', BYTES), 'created');
  assert.equal(tally(client.commands), '1 PutObject');
  const { Metadata, ...input } = client.commands[0].input;
  assert.deepEqual(input, {
    Bucket: 'blocks',
    Key: 'a/b',
    Body: BYTES,
    IfNoneMatch: '*',
    // CRC-32 of 01 02 03 is 55bc801d.
    ChecksumCRC32: Buffer.from('55bc801d', 'hex').toString('base64'),
  });
  assert.equal(Object.keys(Metadata).length, 1);
});

test('412: the key is taken, and nothing more is asked', async () => {
  const { client, store } = storeOn(() => awsError('PreconditionFailed', 412));
  assert.equal(await store.put('a', BYTES), 'exists');
  assert.equal(tally(client.commands), '1 PutObject');
});

test('409: another put is under way, so it is made again until it is clear how that ended', async () => {
  const conflict = () => awsError('ConditionalRequestConflict', 409);
  const won = storeOn((_, ordinal) => (ordinal < 2 ? conflict() : {}));
  assert.equal(await won.store.put('a', BYTES), 'created');
  assert.equal(won.client.commands.length, 3);
  const lost = storeOn(({ name }, ordinal) => {
    if (name === 'HeadObject') return { Metadata: { 'cinderblock-put': 'of-another' } };
    return ordinal < 2 ? conflict() : awsError('PreconditionFailed', 412);
  });
  assert.equal(await lost.store.put('a', BYTES), 'exists');
  const never = storeOn(conflict);
  await assert.rejects(never.store.put('a', BYTES), RetryableError);
  assert.equal(tally(never.client.commands), '7 PutObject');
});

test('412 on a repeat by the SDK: whose object it is tells its nonce', async () => {
  let nonce: unknown;
  const answer = (own: boolean) => (command: Command) => {
    if (command.name === 'HeadObject') return { Metadata: { 'cinderblock-put': own ? nonce : 'of-another' } };
    nonce = command.input.Metadata['cinderblock-put'];
    return awsError('PreconditionFailed', 412, 'taken', { $metadata: { httpStatusCode: 412, attempts: 2 } });
  };
  assert.equal(await storeOn(answer(true)).store.put('a', BYTES), 'created');
  assert.equal(await storeOn(answer(false)).store.put('a', BYTES), 'exists');
});

test('SlowDown, 5xx and time-outs are retryable; a missing bucket is not', async () => {
  for (const error of [
    awsError('SlowDown', 503),
    awsError('InternalError', 500),
    awsError('TimeoutError'),
    awsError('RequestTimeout', 400),
  ]) {
    const { store } = storeOn(() => error);
    await assert.rejects(store.put('a', BYTES), RetryableError);
    await assert.rejects(store.get('a'), RetryableError);
    await assert.rejects(store.getTail('a', 1), RetryableError);
    await assert.rejects(store.delete('a'), RetryableError);
    await assert.rejects(store.list('', { limit: 1 }), RetryableError);
  }
  const { store } = storeOn(() => awsError('NoSuchBucket', 404));
  await assert.rejects(store.get('a'), (error) => !(error instanceof RetryableError));
});

test('every read is one request, of the bytes that are asked for', async () => {
  const body = { transformToByteArray: async () => BYTES };
  const { client, store } = storeOn(() => ({ Body: body, ContentRange: 'bytes 7-9/10' }));
  assert.deepEqual(await store.getRange('a', 7, 10), BYTES);
  assert.deepEqual(await store.getTail('a', 3), { bytes: BYTES, size: 10 });
  assert.deepEqual(
    client.commands.map(({ name, input }) => `${name} ${input.Range}`),
    ['GetObject bytes=7-9', 'GetObject bytes=-3'],
  );
});

test('416 is an answer: nothing of the range is there', async () => {
  const { store } = storeOn(() => awsError('InvalidRange', 416));
  assert.deepEqual(await store.getRange('a', 7, 10), new Uint8Array());
  assert.deepEqual(await store.getTail('a', 3), { bytes: new Uint8Array(), size: 0 });
});

test('NoSuchKey is undefined or not-found', async () => {
  const { store } = storeOn(() => awsError('NoSuchKey', 404));
  assert.equal(await store.get('a'), undefined);
  await store.delete('a');
  const notFound = (error: unknown) => error instanceof RejectedError && error.reason === 'not-found';
  await assert.rejects(store.getRange('a', 0, 1), notFound);
  await assert.rejects(store.getTail('a', 1), notFound);
});

test('a put that is repeated until it goes through stores one object, whatever gets lost', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const objects = new Map<string, Uint8Array>();
    const { store } = storeOn(({ input }) => {
      if (objects.has(input.Key)) return awsError('PreconditionFailed', 412);
      objects.set(input.Key, input.Body);
      return {};
    });
    const lossy = withFaults(store, seededFaults(seed, { 'fail-before': 0.3, 'fail-after': 0.3 }));
    let answer: string | undefined;
    while (answer === undefined) {
      answer = await lossy.put('a', BYTES).catch((error) => {
        assert.ok(error instanceof RetryableError);
        return undefined;
      });
    }
    assert.deepEqual([...objects], [['a', BYTES]]);
  }
});
