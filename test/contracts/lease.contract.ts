import assert from 'node:assert/strict';
import type { LeaseStore } from '../../storage/lease.ts';
import { assertRejected, type MakeAdapter, scenario } from './adapter.ts';

/** What every LeaseStore does. */
export function leaseContract(name: string, make: MakeAdapter<LeaseStore>): void {
  const it = (what: string, play: Parameters<typeof scenario<LeaseStore, undefined>>[3]) =>
    scenario(`${name}: ${what}`, make, undefined, play);

  it('has one holder per name until it lapses', async ({ port, clock }) => {
    const first = await port.acquire('compact', 'a', 1000);
    assert.ok(first);
    assert.ok(await port.acquire('other', 'b', 1000));
    clock.advance(999);
    assert.equal(await port.acquire('compact', 'b', 1000), undefined);
    assert.equal(await port.acquire('compact', 'a', 1000), undefined, 'not even for its owner twice');
    clock.advance(1);
    const second = await port.acquire('compact', 'b', 1000);
    assert.ok(second && second.token > first.token);
  });

  it('lets exactly one of many win, across clients', async ({ port, another }) => {
    const other = await another();
    const leases = await Promise.all(
      Array.from({ length: 20 }, (_, i) => (i % 2 ? port : other).acquire('race', `owner${i}`, 1000)),
    );
    assert.equal(leases.filter((lease) => lease !== undefined).length, 1);
  });

  it('renews for its holder only', async ({ port, clock }) => {
    const lease = await port.acquire('n', 'a', 1000);
    assert.ok(lease);
    clock.advance(900);
    assert.equal(await port.renew('n', 'b', lease.token, 1000), false);
    assert.equal(await port.renew('n', 'a', lease.token + 1, 1000), false);
    assert.equal(await port.renew('m', 'a', lease.token, 1000), false);
    assert.equal(await port.renew('n', 'a', lease.token, 1000), true);
    clock.advance(999);
    assert.equal(await port.acquire('n', 'b', 1000), undefined);
    clock.advance(1);
    assert.equal(await port.renew('n', 'a', lease.token, 1000), false, 'a lapsed lease is not revived');
    assert.ok(await port.acquire('n', 'b', 1000));
  });

  it('fences off a former holder', async ({ port, clock }) => {
    const stale = await port.acquire('n', 'a', 1000);
    clock.advance(1000);
    const current = await port.acquire('n', 'a', 1000);
    assert.ok(stale && current && current.token > stale.token);
    assert.equal(await port.renew('n', 'a', stale.token, 1000), false);
    assert.equal(await port.release('n', 'a', stale.token), false);
    assert.equal(await port.renew('n', 'a', current.token, 1000), true);
  });

  it('keeps tokens rising over releases', async ({ port, another }) => {
    const other = await another();
    let last = 0;
    for (let round = 0; round < 20; round++) {
      const client = round % 2 ? port : other;
      const lease = await client.acquire('n', `o${round}`, 1000);
      assert.ok(lease && lease.token > last);
      last = lease.token;
      assert.equal(await client.release('n', `o${round}`, last), true);
      assert.equal(await client.release('n', `o${round}`, last), false);
      assert.equal(await client.renew('n', `o${round}`, last, 1000), false);
    }
  });

  it('refuses what is no lease', async ({ port }) => {
    await assertRejected(port.acquire('', 'a', 1), 'invalid');
    await assertRejected(port.acquire('n', '', 1), 'invalid');
    for (const ttl of [0, -1, 1.5, Number.NaN, Infinity])
      await assertRejected(port.acquire('n', 'a', ttl), 'invalid');
  });
}
