import { sqliteRegistry } from '../../../storage/embedded/sqlite-registry.ts';
import { registryContract } from '../../contracts/registry.contract.ts';
import { onSqlite } from './sqlite-adapter.ts';

registryContract(
  'sqlite',
  onSqlite((database) => sqliteRegistry(database)),
);
