// What the deployed role of every function may and may not do, asked with credentials of that role, of services that
// enforce its policy, its conditions and the policies of bucket and queues.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromTemporaryCredentials } from '@aws-sdk/credential-providers';
import type { Lane } from './lane.ts';
import { openRole, type RoleAct } from './role-acts.ts';
import { HUB_ACCOUNT, REGION, rootOf } from './stand-in-cloud.ts';

interface RoleCase {
  stack: string;
  role: string;
  /** `<action> <target>`: an object's prefix, a partition of the table, or a queue. */
  allowed: readonly RoleAct[];
  denied: readonly RoleAct[];
}

const NO_QUEUE: readonly RoleAct[] = [
  'SendMessage batches',
  'ReceiveMessage batches',
  'ReceiveMessage dead',
  'PurgeQueue batches',
];
const NO_OBJECT: readonly RoleAct[] = [
  'GetObject blocks',
  'PutObject blocks',
  'DeleteObject blocks',
  'GetObject inbox',
  'PutObject inbox',
];
const NO_SECRET: readonly RoleAct[] = [
  'GetItem api-token#x',
  'Query api-tokens',
  'GetItem credential#x',
  'Query credentials#a',
  'Scan *',
];

const CASES: readonly RoleCase[] = [
  {
    stack: 'Ingest',
    role: 'Ingest',
    allowed: [
      ...(['PutObject inbox', 'GetObject inbox', 'SendMessage batches'] as const),
      ...(['GetItem clusters', 'PutItem ledger#x', 'UpdateItem ledger#x', 'PutItem agents#a#0'] as const),
    ],
    denied: [
      ...([
        'PutObject blocks',
        'GetObject blocks',
        'DeleteObject blocks',
        'DeleteObject inbox',
        'PutObject quarantine',
      ] as const),
      ...([
        'ListObjects *',
        'PutItem block#x',
        'PutItem api-token#x',
        'DeleteItem ledger#x',
        'DeleteItem clusters',
      ] as const),
      ...([
        'ReceiveMessage batches',
        'ReceiveMessage dead',
        'SendMessage dead',
        'PurgeQueue batches',
      ] as const),
      ...NO_SECRET,
    ],
  },
  {
    stack: 'Ingest',
    role: 'Processor',
    allowed: [
      ...([
        'GetObject inbox',
        'DeleteObject inbox',
        'PutObject blocks',
        'GetObject blocks',
        'PutObject quarantine',
        'GetObject sealed',
      ] as const),
      ...([
        'ListObjects *',
        'PutItem block#x',
        'PutItem spans#x',
        'PutItem buckets#x',
        'GetItem block#x',
        'Query spans#x',
        'GetItem tenant#x',
        'ReceiveMessage batches',
      ] as const),
    ],
    denied: [
      ...([
        'PutObject inbox',
        'DeleteObject blocks',
        'DeleteObject quarantine',
        'OverwriteObject blocks',
        'PutObject sealed',
        'DeleteObject sealed',
      ] as const),
      ...([
        'GetItem clusters',
        'PutItem ledger#x',
        'PutItem tenant#x',
        'DeleteItem block#x',
        'PutItem api-token#x',
      ] as const),
      ...(['SendMessage batches', 'ReceiveMessage dead', 'PurgeQueue batches'] as const),
      ...NO_SECRET,
    ],
  },
  {
    stack: 'Query',
    role: 'Query',
    allowed: [
      ...([
        'GetObject blocks',
        'ListObjects *',
        'GetItem block#x',
        'Query spans#x',
        'Query clusters',
        'Query ledger#x',
        'GetItem setting#x',
      ] as const),
    ],
    denied: [
      ...([
        'PutObject blocks',
        'DeleteObject blocks',
        'GetObject inbox',
        'PutObject inbox',
        'GetObject quarantine',
        'GetObject sealed',
      ] as const),
      ...(['PutItem block#x', 'PutItem clusters', 'PutItem ledger#x', 'DeleteItem block#x'] as const),
      'PutItem setting#x',
      ...NO_SECRET,
      ...NO_QUEUE,
    ],
  },
  {
    stack: 'Query',
    role: 'QueryWorker',
    allowed: ['GetObject blocks', 'ListObjects *'],
    denied: [
      ...([
        'PutObject blocks',
        'DeleteObject blocks',
        'GetObject inbox',
        'PutObject inbox',
        'GetObject quarantine',
      ] as const),
      ...(['GetItem block#x', 'Query spans#x', 'GetItem setting#x', 'PutItem block#x'] as const),
      ...(['GetItem clusters', 'SendMessage jobs', 'ReceiveMessage jobs'] as const),
      ...NO_SECRET,
      ...NO_QUEUE,
    ],
  },
  {
    stack: 'Query',
    role: 'Admin',
    allowed: [
      ...([
        'GetObject quarantine',
        'PutObject quarantine',
        'DeleteObject quarantine',
        'PutObject inbox',
        'GetObject blocks',
      ] as const),
      ...([
        'Query clusters',
        'PutItem clusters',
        'GetItem api-token#x',
        'PutItem api-token#x',
        'Query api-tokens',
      ] as const),
      ...(['Query credentials#a', 'SendMessage batches', 'ReceiveMessage dead'] as const),
    ],
    denied: [
      ...(['PutObject blocks', 'DeleteObject blocks', 'PutItem block#x', 'DeleteItem block#x'] as const),
      ...([
        'PutItem lease#x',
        'Scan *',
        'ReceiveMessage batches',
        'PurgeQueue batches',
        'PurgeQueue dead',
      ] as const),
    ],
  },
  {
    stack: 'Query',
    role: 'Authorizer',
    allowed: ['GetItem api-token#x'],
    denied: [
      ...([
        'PutItem api-token#x',
        'DeleteItem api-token#x',
        'Query api-token#x',
        'Query api-tokens',
        'GetItem clusters',
      ] as const),
      ...(['GetItem credential#x', 'GetItem block#x', 'Scan *', 'ListObjects *'] as const),
      ...NO_OBJECT,
      ...NO_QUEUE,
    ],
  },
  {
    stack: 'Compaction',
    role: 'CompactionPlanner',
    allowed: [
      ...(['GetItem block#x', 'Query spans#x', 'Query buckets#x', 'SendMessage jobs'] as const),
      ...(['GetItem setting#compaction-quarantine/x', 'PutItem setting#compaction-quarantine/x'] as const),
      'SendMessage missed',
    ],
    denied: [
      ...([
        'PutItem block#x',
        'DeleteItem block#x',
        'PutItem setting#x',
        'UpdateItem lease#compaction/x',
        'GetItem clusters',
      ] as const),
      ...(['ReceiveMessage jobs', 'PurgeQueue jobs', 'ReceiveMessage missed', 'ListObjects *'] as const),
      ...NO_OBJECT,
      ...NO_SECRET,
      ...NO_QUEUE,
    ],
  },
  {
    stack: 'Compaction',
    role: 'CompactionWorker',
    allowed: [
      ...(['GetObject blocks', 'PutObject blocks', 'DeleteObject blocks', 'ListObjects *'] as const),
      ...(['GetObject sealed', 'PutObject sealed'] as const),
      ...([
        'GetItem block#x',
        'PutItem block#x',
        'UpdateItem block#x',
        'PutItem spans#x',
        'PutItem swap#x',
        'PutItem marks#x',
        'UpdateItem lease#compaction/x',
        'GetItem setting#tombstones/x',
        'PutItem setting#compaction-quarantine/x',
      ] as const),
      'ReceiveMessage jobs',
    ],
    denied: [
      ...([
        'OverwriteObject blocks',
        'GetObject inbox',
        'PutObject inbox',
        'DeleteObject inbox',
        'GetObject quarantine',
        'PutObject quarantine',
        'DeleteObject sealed',
      ] as const),
      ...([
        'DeleteItem block#x',
        'PutItem clusters',
        'PutItem setting#x',
        'PutItem setting#retention/x',
        'UpdateItem lease#x',
      ] as const),
      ...(['SendMessage jobs', 'PurgeQueue jobs', 'SendMessage missed'] as const),
      ...NO_SECRET,
      ...NO_QUEUE,
    ],
  },
  {
    stack: 'Compaction',
    role: 'CompactionHousekeeper',
    allowed: [
      ...([
        'GetObject blocks',
        'PutObject blocks',
        'DeleteObject blocks',
        'DeleteObject inbox',
        'DeleteObject sealed',
        'ListObjects *',
      ] as const),
      ...([
        'Query marks#x',
        'DeleteItem block#x',
        'DeleteItem agents#x',
        'Query ledger#x',
        'PutItem ledger#x',
        'GetItem setting#retention/x',
        'PutItem setting#scrub/x',
        'PutItem setting#loss/x',
        'UpdateItem lease#retention/x',
      ] as const),
      'SendMessage missed',
    ],
    denied: [
      ...([
        'OverwriteObject blocks',
        'GetObject inbox',
        'PutObject inbox',
        'GetObject quarantine',
        'DeleteObject quarantine',
        'PutObject sealed',
      ] as const),
      ...([
        'PutItem clusters',
        'DeleteItem clusters',
        'PutItem setting#retention/x',
        'DeleteItem ledger#x',
      ] as const),
      ...(['SendMessage jobs', 'ReceiveMessage jobs', 'ReceiveMessage missed'] as const),
      ...NO_SECRET,
      ...NO_QUEUE,
    ],
  },
];

/** Every function's role, allow and deny. Roles of clusters and of their accounts are in access-tests.ts. */
export function roleTests(open: () => Lane): void {
  for (const { stack, role, allowed, denied } of CASES) {
    test(`the role of ${role}: ${allowed.length} things that it may do, ${denied.length} that it may not`, async () => {
      const lane = open();
      const act = await openRole(lane, await credentialsOf(lane, stack, role));
      const wrong: string[] = [];
      for (const name of allowed) if ((await act(name)) !== 'allowed') wrong.push(`${name} is refused`);
      for (const name of denied) if ((await act(name)) !== 'denied') wrong.push(`${name} is allowed`);
      assert.deepEqual(wrong, []);
    });
  }
}

/** Only Lambda assumes these roles; the stand-in takes the account's root for its services. */
async function credentialsOf(lane: Lane, stack: string, role: string) {
  const name = await lane.physicalId(stack, new RegExp(`^${role}Role[0-9A-F]{8}$`));
  return fromTemporaryCredentials({
    masterCredentials: rootOf(lane.cloud, HUB_ACCOUNT),
    params: { RoleArn: `arn:aws:iam::${HUB_ACCOUNT}:role/${name}`, RoleSessionName: 'role-test' },
    clientConfig: { region: REGION },
  })();
}
