import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Lane } from './lane.ts';
import { call, send, sendBatch, signBatch, until } from './lane-hub.ts';
import { openRole } from './role-acts.ts';
import { agentCredentials, writeServiceAccountToken } from './spoke-accounts.ts';

const MINUTE_MS = 60_000;

/** Who gets in with what, and who does not. */
export function accessTests(open: () => Lane): void {
  test('a cluster cannot send for another: AWS refuses the path, and the hub what is inside', async () => {
    const lane = open();
    const { bytes } = lane.batches.b.next();
    const foreignPath = await sendBatch(lane.ingestUrl, 'b', lane.credentials.a, bytes);
    assert.equal(foreignPath.status, 403);
    assert.match(foreignPath.body, /not authorized to perform: execute-api:Invoke/);
    const foreignBatch = await sendBatch(lane.ingestUrl, 'a', lane.credentials.a, bytes);
    assert.equal(foreignBatch.status, 403, foreignBatch.body);
    assert.match(foreignBatch.body, /the batch is of cluster b, its sender of a/);
    await lane.send('b', bytes);
  });

  test('a tampered body, an old signature, another secret and no signature are refused', async () => {
    const lane = open();
    const { bytes } = lane.batches.a.next();
    const { ingestUrl, credentials } = lane;
    const signed = await signBatch(ingestUrl, 'a', credentials.a, bytes);
    const tampered = await send({ ...signed, body: lane.batches.a.sample() });
    // The stand-in believes the hash that was signed, and the function compares it with the body.
    assert.equal(tampered.status, 401, tampered.body);
    assert.match(tampered.body, /body/);
    const old = await sendBatch(ingestUrl, 'a', credentials.a, bytes, Date.now() - 20 * MINUTE_MS);
    assert.equal(old.status, 403);
    assert.match(old.body, /Signature expired/);
    const wrong = { ...credentials.a, secretAccessKey: credentials.b.secretAccessKey };
    assert.equal((await sendBatch(ingestUrl, 'a', wrong, bytes)).status, 403);
    const { authorization: _, ...unsigned } = signed.headers;
    assert.equal((await send({ ...signed, headers: unsigned })).status, 403);
    assert.equal((await send(signed)).status, 202);
  });

  test('a replayed request is harmless', async () => {
    const lane = open();
    const signed = await signBatch(lane.ingestUrl, 'a', lane.credentials.a, lane.batches.a.next().bytes);
    const answers = [await send(signed), await send(signed), await send(signed)];
    assert.deepEqual(
      answers.map(({ status }) => status),
      [202, 202, 202],
    );
    assert.deepEqual(
      answers.map(({ body }) => JSON.parse(body).duplicate),
      [false, true, true],
    );
    assert.equal(
      await until(
        () => lane.total(),
        (total) => total >= lane.sent,
      ),
      lane.sent,
    );
  });

  test('a disabled cluster is refused at once, and let in again when it is enabled', async () => {
    const lane = open();
    const { bytes } = lane.batches.b.next();
    await lane.cli('cluster', 'disable', 'b', '--yes');
    const refused = await sendBatch(lane.ingestUrl, 'b', lane.credentials.b, bytes);
    assert.equal(refused.status, 403);
    assert.match(refused.body, /cluster b is disabled/);
    await lane.cli('cluster', 'enable', 'b');
    await lane.send('b', bytes);
  });

  test('the role of a cluster is for its account, its service account and its external id', async () => {
    const lane = open();
    const { a, b } = lane.spokes;
    const denied = /not authorized to perform: sts:AssumeRole/;
    await assert.rejects(agentCredentials({ ...a, externalId: b.externalId }), denied);
    await assert.rejects(
      agentCredentials({ ...a, hubRoleArn: b.hubRoleArn, externalId: b.externalId }),
      denied,
    );
    const tokenFile = await writeServiceAccountToken(lane.cloud, 'a', 'another');
    await assert.rejects(agentCredentials({ ...a, tokenFile }), /AssumeRoleWithWebIdentity/);
  });

  test('the role of a cluster may send, and nothing else', async () => {
    const lane = open();
    const act = await openRole(lane, lane.credentials.a);
    const others = [
      'ListObjects *',
      'PutObject inbox',
      'GetItem clusters',
      'Query ledger#x',
      'SendMessage batches',
    ] as const;
    for (const name of others) assert.equal(await act(name), 'denied', name);
    const elsewhere = await signBatch(lane.ingestUrl, 'a', lane.credentials.a, lane.batches.a.sample());
    const url = new URL(`${lane.queryUrl}/querier.v1.QuerierService/LabelNames`);
    assert.equal(
      (await send({ ...elsewhere, url, headers: { ...elsewhere.headers, host: url.host } })).status,
      403,
    );
  });

  test('people and tools: by tokens of the issuer and of the hub, each for what it may do', async () => {
    const { queryUrl, issuer, queryToken, adminToken } = open();
    const ask = async (token: string, method: string) => {
      const { status, body } = await call(queryUrl, token, method, {});
      if (status !== 200 && status !== 403) throw new Error(`${method} answered ${status}: ${body}`);
      return status;
    };
    const [query, admin] = [
      'querier.v1.QuerierService/ProfileTypes',
      'cinderblock.v1.AdminService/ListTokens',
    ];
    const person = issuer.tokenFor('bob@example.com', ['developers']);
    assert.deepEqual([await ask(person, query), await ask(person, admin)], [200, 403]);
    assert.deepEqual([await ask(adminToken, query), await ask(adminToken, admin)], [200, 200]);
    assert.deepEqual([await ask(queryToken, query), await ask(queryToken, admin)], [200, 403]);
    const past = Math.floor(Date.now() / 1000) - 60;
    for (const claims of [{ exp: past }, { aud: 'another-page' }, { iss: 'https://elsewhere.example' }]) {
      assert.equal(
        await ask(issuer.tokenFor('eve', ['cinderblock-admins'], claims), query),
        403,
        JSON.stringify(claims),
      );
    }
    const forged = `${adminToken.slice(0, -8)}AAAAAAAA`;
    assert.equal(await ask(forged, query), 403);
    assert.equal(await ask('cbt_nonsense', query), 403);
  });
}
