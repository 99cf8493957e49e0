import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Credentials,
  CredentialsError,
  TemporaryCredentials,
} from '../../../agent/upload/credentials.ts';

const MINUTE = 60_000;

/** A source of credentials that last an hour, numbered, on a clock in the test's hand. */
function source() {
  const time = { now: 0 };
  const said: string[] = [];
  let fails: Error | undefined;
  let loads = 0;
  const load = async (): Promise<Credentials> => {
    loads++;
    await Promise.resolve();
    if (fails) throw fails;
    const expiration = new Date(time.now + 60 * MINUTE);
    return { accessKeyId: `ASIA${loads}`, secretAccessKey: 's', sessionToken: 't', expiration };
  };
  const log = (_: string, message: string) => void said.push(message);
  return {
    credentials: new TemporaryCredentials({ load, now: () => time.now, log }),
    time,
    said,
    failWith: (error: Error | undefined) => {
      fails = error;
    },
    loads: () => loads,
  };
}

test('temporary credentials are replaced five minutes before they end', async () => {
  const { credentials, time } = source();
  assert.equal((await credentials.get()).accessKeyId, 'ASIA1');
  time.now = 55 * MINUTE - 1;
  assert.equal((await credentials.get()).accessKeyId, 'ASIA1');
  time.now = 55 * MINUTE;
  assert.equal((await credentials.get()).accessKeyId, 'ASIA2');
});

test('whoever asks at the same time gets the same answer', async () => {
  const { credentials, loads } = source();
  const all = await Promise.all(Array.from({ length: 5 }, () => credentials.get()));
  assert.equal(new Set(all.map(({ accessKeyId }) => accessKeyId)).size, 1);
  assert.equal(loads(), 1);
});

test('while new ones cannot be had, the old are used as long as they are good, and asked for now and then', async () => {
  const { credentials, time, said, failWith, loads } = source();
  await credentials.get();
  failWith(new Error('STS is away'));
  time.now = 56 * MINUTE;
  for (let i = 0; i < 3; i++) assert.equal((await credentials.get()).accessKeyId, 'ASIA1');
  assert.equal(loads(), 2);
  assert.match(said[0]!, /no credentials to sign with: STS is away; those at hand are good/);
  time.now += MINUTE;
  assert.equal((await credentials.get()).accessKeyId, 'ASIA1');
  assert.equal(loads(), 3);
  time.now = 60 * MINUTE;
  await assert.rejects(credentials.get(), CredentialsError);
  failWith(undefined);
  assert.equal((await credentials.get()).accessKeyId, 'ASIA5');
});

test('refused credentials are not used again, though they have not ended', async () => {
  const { credentials, failWith } = source();
  await credentials.get();
  assert.equal(credentials.refresh(), true);
  failWith(new Error('AccessDenied'));
  await assert.rejects(credentials.get(), /no credentials to sign with: AccessDenied/);
});
