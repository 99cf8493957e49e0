// Every port's contract on the AWS adapters, against every stand-in that has the service.
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe } from 'node:test';
import { dynamodbBlockCatalog } from '../../../storage/aws/dynamodb-block-catalog.ts';
import { dynamodbLeaseStore } from '../../../storage/aws/dynamodb-lease-store.ts';
import { dynamodbRegistry } from '../../../storage/aws/dynamodb-registry.ts';
import type { MakeAdapter } from '../../contracts/adapter.ts';
import { batchQueueContract } from '../../contracts/batch-queue.contract.ts';
import { blockCatalogContract } from '../../contracts/block-catalog.contract.ts';
import { leaseContract } from '../../contracts/lease.contract.ts';
import { objectStoreContract } from '../../contracts/object-store.contract.ts';
import { registryContract } from '../../contracts/registry.contract.ts';
import { onDynamoDb, onS3, onSqs } from './aws-adapters.ts';
import { playOn, verdictMarkdown, verdictTable } from './known-gaps.ts';
import { type RunningStandIn, startStandIn } from './stand-in-process.ts';
import { installed, STAND_INS, type StandIn } from './stand-ins.ts';

/** Scenarios under way at once: most of the queue's only wait. */
const concurrency = 4;

for (const standIn of STAND_INS) {
  const found = await installed(standIn);
  if ('lacks' in found) console.log(`${standIn.name} is left out: this machine has no ${found.lacks}`);
  else describe(`${standIn.name} ${standIn.version}`, () => contractsOn(standIn, found.folder));
}

after(() => {
  console.log(`\n${verdictTable(STAND_INS.map(({ name }) => name))}\n`);
  // CINDERBLOCK_WRITE=1 keeps the table of this run in the page.
  if (process.env.CINDERBLOCK_WRITE === '1') writePage(verdictMarkdown(STAND_INS));
});

const PAGE = new URL('../../../docs/stand-ins.md', import.meta.url);
const MARKED = /(?<=<!-- table -->\n).*?(?=\n<!-- end -->)/s;

function writePage(table: string): void {
  writeFileSync(
    PAGE,
    readFileSync(PAGE, 'utf8').replace(MARKED, () => table),
  );
}

function contractsOn(standIn: StandIn, folder: string): void {
  let running: RunningStandIn | undefined;
  before(async () => {
    running = await startStandIn((port) => standIn.plan(folder, port));
  });
  after(() => running?.stop());
  const endpoint = () => String(running?.endpoint);
  const told = <Port, Options>(adapter: string, make: MakeAdapter<Port, Options>) =>
    Object.assign(make, {
      around: (name: string, play: () => Promise<void>) =>
        playOn(standIn.name, adapter, name.slice(adapter.length + 2), play),
    });
  if (standIn.services.includes('s3')) {
    describe('S3', { concurrency }, () =>
      objectStoreContract('object store', told('object store', onS3(endpoint)), { datesByClock: false }),
    );
  }
  if (standIn.services.includes('dynamodb')) {
    describe('DynamoDB', { concurrency }, () => {
      blockCatalogContract(
        'block catalog',
        told('block catalog', onDynamoDb(endpoint, dynamodbBlockCatalog)),
      );
      registryContract('registry', told('registry', onDynamoDb(endpoint, dynamodbRegistry)));
      leaseContract('leases', told('leases', onDynamoDb(endpoint, dynamodbLeaseStore)));
    });
  }
  if (standIn.services.includes('sqs')) {
    const traits = { knowsStale: false, knowsAges: false };
    describe('SQS', { concurrency }, () =>
      batchQueueContract('batch queue', told('batch queue', onSqs(endpoint, true)), traits),
    );
  }
}
