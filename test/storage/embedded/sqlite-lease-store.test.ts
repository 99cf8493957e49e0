import { sqliteLeaseStore } from '../../../storage/embedded/sqlite-lease-store.ts';
import { leaseContract } from '../../contracts/lease.contract.ts';
import { onSqlite } from './sqlite-adapter.ts';

leaseContract(
  'sqlite',
  onSqlite((database, clock) => sqliteLeaseStore(database, clock)),
);
