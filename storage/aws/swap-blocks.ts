import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import { limitExceeded, RejectedError } from '../../core/errors.ts';
import type { BlockCatalog, BlockRow, BlockSwap } from '../block-catalog.ts';
import { changedIds, checkSwap, SWAP_TOKEN_MEMORY_MS } from '../block-catalog.ts';
import { type Item, number, text } from './attribute-values.ts';
import { blockIdOf, effectOf, INLINE_CONTENT_BYTES, rowFields, stateOf } from './block-items.ts';
import { markFields } from './deletion-marks.ts';
import { digestOf } from './digests.ts';
import { type DynamoTable, MAX_TRANSACTION_ITEMS } from './dynamodb-table.ts';
import { blockKey, EXPIRES, type Key, marksKey, swapTokenKey, tenantSwapsKey } from './names.ts';

/** Most bytes of content that one transaction carries; 4 MB in all are allowed. */
const TRANSACTION_CONTENT_BYTES = 3 * 1024 * 1024;

/** A name of a request may have this many characters. */
const REQUEST_TOKEN_LENGTH = 36;

/** Writes what must be there before the row of a block. */
interface Announcer {
  announce(row: BlockRow, digest: string, parts: Uint8Array[]): Promise<void>;
}

/**
 * Swaps of blocks as one transaction each: every block is one item of it, and three more are the token, the list of marks
 * and, per tenant, the number of its swaps, by which searches notice that one came between.
 */
export function blockSwaps(
  table: DynamoTable,
  clock: () => number,
  rows: Announcer,
): Pick<BlockCatalog, 'swap'> {
  /** What the token says: done before, free, or taken by another swap, which is refused. */
  function verdictOf(item: Item | undefined, swap: BlockSwap, effect: string): 'done' | 'free' {
    if (item === undefined || number(item, EXPIRES) * 1000 <= clock()) return 'free';
    if (text(item, 'effect') === effect) return 'done';
    throw new RejectedError('invalid', `token ${JSON.stringify(swap.token)} was used for another swap`);
  }
  return {
    async swap(swap) {
      checkSwap(swap);
      const effect = effectOf(swap);
      const tokenKey = swapTokenKey(digestOf(swap.token));
      const items = await table.getMany([tokenKey, ...changedIds(swap).map(blockKey)]);
      const ofToken = items.find((item) => text(item, 'pk') === tokenKey.pk);
      if (verdictOf(ofToken, swap, effect) === 'done') return 'done';
      const fromAside = new Set([...(swap.putBack ?? []), ...(swap.removeAside ?? [])]);
      const expectedOf = (item: Item) => (fromAside.has(blockIdOf(item)) ? 'aside' : 'live');
      const changed = items.filter((item) => item !== ofToken && stateOf(item) === expectedOf(item));
      // Before a conflict is told, the token is looked at again: the conflict may be with an earlier try of this very swap.
      const settle = async () =>
        verdictOf(await table.get(tokenKey), swap, effect) === 'done' ? 'done' : 'conflict';
      if (changed.length < changedIds(swap).length) return settle();
      const parts = await transactionOf(table, rows, swap, changed, effect, clock());
      const token = digestOf(JSON.stringify(parts)).slice(0, REQUEST_TOKEN_LENGTH);
      return (await table.transact(parts, token)) ? 'done' : settle();
    },
  };
}

async function transactionOf(
  table: DynamoTable,
  rows: Announcer,
  { add, setAside = [], putBack = [], token }: BlockSwap,
  changed: Item[],
  effect: string,
  now: number,
): Promise<TransactWriteItem[]> {
  const tenants = new Set([
    ...changed.map((item) => text(item, 'tenant')),
    ...add.map(({ tenant }) => tenant),
  ]);
  const stays = new Set([...setAside.map(({ blockId }) => blockId), ...putBack]);
  const removed = changed.filter((item) => !stays.has(blockIdOf(item)));
  const digest = digestOf(token);
  const marks = marksKey(now, digest);
  const expires = Math.ceil((now + SWAP_TOKEN_MEMORY_MS) / 1000) + 1;
  const parts = [
    table.putPart(
      swapTokenKey(digest),
      { effect, [EXPIRES]: expires },
      {
        condition: `attribute_not_exists(pk) OR #${EXPIRES} <= :now`,
        values: { now: Math.floor(now / 1000) },
      },
    ),
    ...[...tenants].map((tenant) =>
      table.updatePart(tenantSwapsKey(tenant), { update: 'ADD #swaps :one', values: { one: 1 } }),
    ),
    ...(removed.length === 0 ? [] : [table.putPart(marks, markFields(removed, now))]),
    ...removed.map((item) => markPart(table, item, marks)),
    ...setAside.map(({ blockId, aside }) =>
      table.updatePart(blockKey(blockId), {
        update: 'SET #state = :aside, #aside = :why',
        condition: '#state = :live',
        values: { aside: 'aside', live: 'live', why: JSON.stringify(aside) },
      }),
    ),
    ...putBack.map((blockId) =>
      table.updatePart(blockKey(blockId), {
        update: 'SET #state = :live REMOVE #aside',
        condition: '#state = :aside',
        values: { live: 'live', aside: 'aside' },
      }),
    ),
    ...(await addParts(table, rows, add, digest)),
  ];
  if (parts.length <= MAX_TRANSACTION_ITEMS) return parts;
  throw limitExceeded(
    { name: 'catalog.maxTransactionItems', value: MAX_TRANSACTION_ITEMS, unit: 'items' },
    parts.length,
  );
}

/**
 * The content goes and the place of the entry stays: a marked block keeps its id used, and costs little. It names the list
 * that it is on: only there its mark counts.
 */
function markPart(table: DynamoTable, item: Item, marks: Key): TransactWriteItem {
  return table.updatePart(blockKey(blockIdOf(item)), {
    update: 'SET #state = :marked, #markedBy = :marks REMOVE #content, #nonce, #aside',
    condition: '#state = :before',
    values: { marked: 'marked', before: stateOf(item), marks: marks.sk },
  });
}

async function addParts(
  table: DynamoTable,
  rows: Announcer,
  add: BlockRow[],
  nonce: string,
): Promise<TransactWriteItem[]> {
  const inlineBytes = Math.min(INLINE_CONTENT_BYTES, Math.floor(TRANSACTION_CONTENT_BYTES / add.length));
  const items: TransactWriteItem[] = [];
  for (const row of add) {
    const { fields, digest, parts } = rowFields(row, nonce.slice(0, 12), inlineBytes);
    await rows.announce(row, digest, parts);
    items.push(table.putPart(blockKey(row.blockId), fields, { condition: 'attribute_not_exists(pk)' }));
  }
  return items;
}
