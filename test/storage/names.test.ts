import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RejectedError } from '../../core/errors.ts';
import {
  blockKey,
  blocksPrefix,
  inboxKey,
  inboxPrefix,
  parseBlockKey,
  parseInboxKey,
  parseQuarantineKey,
  parseSealedKey,
  quarantineKeys,
  quarantinePrefix,
  sealedKey,
  sealedPrefix,
} from '../../storage/names.ts';

test('a block key names tenant, level and block', () => {
  assert.equal(blockKey('acme', 0, '01J9ZX'), 'blocks/acme/0/01J9ZX.block');
  assert.deepEqual(parseBlockKey('blocks/acme/12/01J9ZX.block'), {
    tenant: 'acme',
    level: 12,
    blockId: '01J9ZX',
  });
  assert.ok(blockKey('acme', 3, 'x').startsWith(blocksPrefix('acme')));
});

test('an inbox key names tenant, cluster and batch', () => {
  assert.equal(inboxKey('acme', 'prod', 'prod.n1.b.7'), 'inbox/acme/prod/prod.n1.b.7.batch');
  assert.deepEqual(parseInboxKey('inbox/acme/prod/a.batch'), {
    tenant: 'acme',
    cluster: 'prod',
    batchId: 'a',
  });
  assert.ok(inboxKey('acme', 'prod', 'x').startsWith(inboxPrefix('acme')));
});

test('the keys of a quarantined batch lie side by side', () => {
  const name = { tenant: 'acme', cluster: 'prod', name: 'prod=n1=b=7=0=ffffffff' };
  const keys = quarantineKeys(name);
  assert.deepEqual(keys, {
    batch: 'quarantine/acme/prod/prod=n1=b=7=0=ffffffff.batch',
    reason: 'quarantine/acme/prod/prod=n1=b=7=0=ffffffff.reason.json',
  });
  assert.deepEqual(parseQuarantineKey(keys.batch), name);
  assert.equal(parseQuarantineKey(keys.reason), undefined);
  assert.ok(keys.batch.startsWith(quarantinePrefix('acme')));
});

test('the batches of sealed families lie by tenant and day', () => {
  const name = { tenant: 'acme', day: 20_769, family: '01J9ZX' };
  assert.equal(sealedKey(name), 'sealed/acme/20769/01J9ZX.batches');
  assert.deepEqual(parseSealedKey(sealedKey(name)), name);
  assert.ok(sealedKey(name).startsWith(sealedPrefix('acme', 20_769)));
  assert.ok(sealedPrefix('acme', 20_769).startsWith(sealedPrefix('acme')));
  for (const key of ['sealed/acme/020769/a.batches', 'sealed/acme/20769/a', 'sealed/acme/-1/a.batches'])
    assert.equal(parseSealedKey(key), undefined, key);
  for (const day of [-1, 0.5, Number.NaN]) assert.throws(() => sealedPrefix('acme', day), RejectedError);
});

test('parts that would change the path are refused', () => {
  for (const part of ['', '.', '..', 'a/b', '../x', 'a b', 'ü', 'a\0', 'a'.repeat(300)]) {
    assert.throws(() => blockKey(part, 0, 'b'), RejectedError);
    assert.throws(() => blockKey('t', 0, part), RejectedError);
    assert.throws(() => inboxKey(part, 'c', 'b'), RejectedError);
    assert.throws(() => inboxKey('t', part, 'b'), RejectedError);
    assert.throws(() => inboxKey('t', 'c', part), RejectedError);
    assert.throws(() => quarantineKeys({ tenant: part, cluster: 'c', name: 'b' }), RejectedError);
    assert.throws(() => quarantineKeys({ tenant: 't', cluster: part, name: 'b' }), RejectedError);
    assert.throws(() => quarantineKeys({ tenant: 't', cluster: 'c', name: part }), RejectedError);
    assert.throws(() => blocksPrefix(part), RejectedError);
    assert.throws(() => inboxPrefix(part), RejectedError);
    assert.throws(() => sealedKey({ tenant: part, day: 1, family: 'f' }), RejectedError);
    assert.throws(() => sealedKey({ tenant: 't', day: 1, family: part }), RejectedError);
  }
  for (const level of [-1, 0.5, 100, Number.NaN])
    assert.throws(() => blockKey('t', level, 'b'), RejectedError);
  assert.throws(
    () => blockKey('t', 0, 'b'.repeat(255)),
    RejectedError,
    'the file name with its ending is too long',
  );
});

test('a parser accepts only what its builder makes', () => {
  const foreign = [
    'blocks/acme/00/x.block',
    'blocks/acme/01/x.block',
    'blocks/acme/100/x.block',
    'blocks/acme/-1/x.block',
    'blocks/acme/0/.block',
    'blocks/../0/x.block',
    'blocks/acme/0/x',
    'blocks/acme/0/y/x.block',
    'Blocks/acme/0/x.block',
    ' blocks/acme/0/x.block',
    'blocks/acme/0/x.block\n',
    'inbox/acme/prod/x.batch',
    '',
  ];
  for (const key of foreign) assert.equal(parseBlockKey(key), undefined, key);
  for (const key of [
    'inbox/acme/x.batch',
    'inbox/acme/../x.batch',
    'inbox/a/b/.batch',
    'blocks/acme/0/x.block',
  ]) {
    assert.equal(parseInboxKey(key), undefined, key);
  }
});
