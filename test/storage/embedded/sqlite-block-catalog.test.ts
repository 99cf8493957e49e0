import { sqliteBlockCatalog } from '../../../storage/embedded/sqlite-block-catalog.ts';
import { blockCatalogContract } from '../../contracts/block-catalog.contract.ts';
import { onSqlite } from './sqlite-adapter.ts';

blockCatalogContract(
  'sqlite',
  onSqlite((database, clock) => sqliteBlockCatalog(database, clock)),
);
