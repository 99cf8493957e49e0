// Law: under any order of calls, by either of two clients, the catalog answers as naive maps would: searches complete and
// in order, swaps whole or not at all, no id used twice.
import { test } from 'node:test';
import { sqliteBlockCatalog } from '../../../storage/embedded/sqlite-block-catalog.ts';
import { TestClock } from '../../contracts/adapter.ts';
import { blockCatalogSteps } from '../../contracts/block-catalog.walk.ts';
import { fuzzWalks } from '../../contracts/fuzz-walk.ts';
import { onSqlite } from './sqlite-adapter.ts';

const open = onSqlite((database, clock) => sqliteBlockCatalog(database, clock));

test('the catalog does as naive maps do', () =>
  fuzzWalks(8, 300, async (chance) => {
    const clock = new TestClock();
    const { port, another, close } = await open(clock, undefined);
    return { steps: blockCatalogSteps([port, await another()], clock, chance), close };
  }));
