import { isIdPart } from '../core/batch/batch-origin.ts';
import { AdminClient } from './admin-client.ts';
import { addCluster } from './cluster/add-cluster.ts';
import { type ChangeOptions, removeCluster, rotateCluster, switchCluster } from './cluster/change-cluster.ts';
import { PLACE_HELP, placeOptions, readPlace } from './cluster/deploy-steps.ts';
import { examineHub, ingestUrlOf, probeFromHere, reportChecks } from './cluster/doctor-cluster.ts';
import { configFileOf } from './cluster/hub-config.ts';
import { listClusters, showCluster } from './cluster/show-clusters.ts';
import { type Command, oneOf, readOptions } from './command.ts';
import { CONFIRM_HELP, confirmOptions } from './confirm.ts';
import { ExitCode, UsageError } from './exit-code.ts';
import { HUB_HELP, hubOptions } from './hub-client.ts';
import { jsonText } from './query/answer-json.ts';
import type { Terminal } from './terminal.ts';
import { parseDuration } from './time-argument.ts';

const VERBS = ['add', 'list', 'show', 'rotate', 'disable', 'enable', 'remove', 'doctor'] as const;
type Verb = (typeof VERBS)[number];

const WAIT_DEFAULT = '10m';

export const clusterCommand: Command = {
  name: 'cluster',
  summary: 'let clusters in, and see why one is not heard',
  help: `Usage: cinderblock cluster VERB [CLUSTER] [options]

  add CLUSTER      register it, and say how its agents get in; a removed one gets fresh access
  list             all clusters, how many agents each has, and when one was last heard
  show CLUSTER     its access and its agents
  rotate CLUSTER   give it fresh access; what is replaced stays good for a while
  disable CLUSTER  refuse what it sends, until it is enabled again
  enable CLUSTER
  remove CLUSTER   end all its access at once; its profiles stay
  doctor CLUSTER   look for what keeps it from being heard: a line for each check, exit code by the worst

Where
${HUB_HELP}
  --output FORMAT   text (default) or json

add
  --name NAME       as people read it (default: CLUSTER)
  --hub-url URL     where agents reach the hub, when not by --url; hubs on AWS know it
  --wait LENGTH     wait for the first heartbeat, such as 10m; default on a terminal. --no-wait: do not
  On AWS the cluster is also written into the hub's configuration, and what is to be deployed is printed:
  --config FILE           the configuration (CINDERBLOCK_CONFIG, default cinderblock.config.json)
${PLACE_HELP}

rotate
  --grace LENGTH    how long what is replaced stays good (default 24h; 0: not at all)
  --finish          issue nothing: what was replaced before stops now

list
  --all             also removed clusters

doctor
  --probe           go the way of a heartbeat from here, with the settings of an agent (CINDERBLOCK_ACCESS_KEY_ID … or
                    what AWS gives): DNS, TCP, TLS, clock, credentials, role, a signed heartbeat that nobody counts

disable, remove, rotate --finish, rotate --grace 0
${CONFIRM_HELP}
`,
  run: runCluster,
};

const options = {
  ...hubOptions,
  ...confirmOptions,
  ...placeOptions,
  output: { type: 'string', default: 'text' },
  name: { type: 'string' },
  'hub-url': { type: 'string' },
  config: { type: 'string' },
  wait: { type: 'string' },
  'no-wait': { type: 'boolean', default: false },
  grace: { type: 'string' },
  finish: { type: 'boolean', default: false },
  all: { type: 'boolean', default: false },
  probe: { type: 'boolean', default: false },
} as const;

type Values = ReturnType<typeof readOptions<typeof options>>['values'];

async function runCluster(args: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals } = readOptions(args, options);
  const verb = oneOf('the verb', positionals[0] ?? '', VERBS);
  const cluster = clusterNamed(verb, positionals.slice(1));
  const output = oneOf('--output', values.output, ['text', 'json']);
  const admin = new AdminClient(values, terminal);
  const change: ChangeOptions = {
    ...{ cluster, output, yes: values.yes },
    hubUrl: hubUrlOf(values, admin),
    configFile: configFileOf(values, terminal),
  };
  switch (verb) {
    case 'add': {
      const place = readPlace(values);
      const added = { ...change, displayName: values.name, place, waitMs: waitOf(values, terminal) };
      return addCluster(admin, added, terminal);
    }
    case 'list':
      await listClusters(admin, { all: values.all, output }, terminal);
      return ExitCode.ok;
    case 'show':
      await showCluster(admin, { cluster, output }, terminal);
      return ExitCode.ok;
    case 'rotate':
      return rotateCluster(admin, { ...change, finish: values.finish, graceMs: graceOf(values) }, terminal);
    case 'disable':
    case 'enable':
      return switchCluster(admin, verb, change, terminal);
    case 'remove':
      return removeCluster(admin, change, terminal);
    case 'doctor':
      return examine(admin, change, values.probe, terminal);
  }
}

function clusterNamed(verb: Verb, names: readonly string[]): string {
  const [cluster = ''] = names;
  if (names.length > (verb === 'list' ? 0 : 1))
    throw new UsageError(`"${names.at(-1)}" is one word too many`);
  if (verb === 'list') return '';
  if (cluster === '') throw new UsageError('name the cluster');
  if (!isIdPart(cluster)) throw new UsageError(`cluster "${cluster}" may only use A-Z a-z 0-9 . _ -`);
  return cluster;
}

function hubUrlOf(values: Values, admin: AdminClient): string {
  const url = (values['hub-url'] ?? admin.hub.url).replace(/\/+$/, '');
  if (/^https?:\/\/[^/]/.test(url) && URL.canParse(url)) return url;
  throw new UsageError(`--hub-url is "${url}", it must be like https://profiles.example`);
}

function waitOf(values: Values, terminal: Terminal): number {
  if (values['no-wait']) return 0;
  if (values.wait !== undefined) return parseDuration('--wait', values.wait);
  return terminal.confirm === undefined ? 0 : parseDuration('--wait', WAIT_DEFAULT);
}

function graceOf({ grace, finish }: Values): number | undefined {
  if (grace === undefined) return undefined;
  if (finish) throw new UsageError('--finish ends what was replaced now: leave out --grace');
  return grace === '0' ? 0 : parseDuration('--grace', grace);
}

async function examine(
  admin: AdminClient,
  { cluster, output }: ChangeOptions,
  isProbe: boolean,
  terminal: Terminal,
): Promise<number> {
  const checks = isProbe ? await probe(admin, cluster, terminal) : examineHub(admin, cluster);
  const found =
    output === 'json' ? await reportChecks(checks, terminal, () => {}) : await reportChecks(checks, terminal);
  if (output === 'json') await terminal.write(jsonText({ cluster, checks: found.checks }));
  return found.exitCode;
}

/** The hub is asked for the address of agents only where the environment does not say it. */
async function probe(admin: AdminClient, cluster: string, terminal: Terminal) {
  if (terminal.env.CINDERBLOCK_HUB_URL) return probeFromHere(cluster, terminal);
  return probeFromHere(cluster, terminal, { CINDERBLOCK_HUB_URL: await ingestUrlOf(admin, cluster) });
}
