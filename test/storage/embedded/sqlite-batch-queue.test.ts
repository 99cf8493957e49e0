import { sqliteBatchQueue } from '../../../storage/embedded/sqlite-batch-queue.ts';
import { batchQueueContract } from '../../contracts/batch-queue.contract.ts';
import { onSqlite } from './sqlite-adapter.ts';

batchQueueContract(
  'sqlite',
  onSqlite((database, clock, { maxReceives }) => sqliteBatchQueue(database, clock, maxReceives)),
);
