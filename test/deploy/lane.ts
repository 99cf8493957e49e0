// One deployed hub with two clusters in accounts of their own: set up as the docs tell an operator to, and used by all
// tests of the lane.
import { readFile } from 'node:fs/promises';
import type { Credentials } from '../../agent/upload/credentials.ts';
import { cinderblock, type Outcome } from '../cli/kept-terminal.ts';
import { DeployedQueue } from './deployed-processor.ts';
import {
  bootstrap,
  changeConfig,
  type Deployment,
  deployHub,
  laneSettings,
  writeConfig,
} from './hub-stacks.ts';
import { type Issuer, startIssuer } from './issuer.ts';
import { BatchMaker } from './lane-batches.ts';
import { flameGraphTotal, SERVICE, sendBatch, type TimeRange } from './lane-hub.ts';
import { linesOf } from './signed-call.ts';
import {
  agentCredentials,
  deploySpoke,
  deploySpokeTemplate,
  oidcProviderArn,
  type SpokeCluster,
  writeServiceAccountToken,
} from './spoke-accounts.ts';
import { resourcesOf } from './stacks.ts';
import {
  adoptEnvironment,
  HUB_ACCOUNT,
  rootOf,
  SPOKE_ACCOUNTS,
  type StandInCloud,
} from './stand-in-cloud.ts';

export const ADMIN_GROUP = 'cinderblock-admins';
export type ClusterName = keyof typeof SPOKE_ACCOUNTS;

export class Lane {
  readonly cloud: StandInCloud;
  readonly issuer: Issuer;
  readonly configFile: string;
  readonly batches = { a: new BatchMaker('a'), b: new BatchMaker('b') };
  readonly spokes = {} as Record<ClusterName, SpokeCluster>;
  readonly credentials = {} as Record<ClusterName, Credentials>;
  fresh!: Deployment;
  /** Of an API token with the scope query, issued by the hub. */
  queryToken = '';

  private constructor(cloud: StandInCloud, issuer: Issuer, configFile: string) {
    this.cloud = cloud;
    this.issuer = issuer;
    this.configFile = configFile;
  }

  static async open(cloud: StandInCloud): Promise<Lane> {
    await adoptEnvironment(cloud);
    const issuer = await startIssuer(cloud.certificate);
    return new Lane(cloud, issuer, await writeConfig(cloud, laneSettings(issuer.url)));
  }

  close(): void {
    this.issuer.stop();
  }

  get queryUrl(): string {
    return this.fresh.output('Query', 'QueryUrl');
  }

  get ingestUrl(): string {
    return this.fresh.output('Ingest', 'IngestUrl');
  }

  get queue(): DeployedQueue {
    return new DeployedQueue(
      this.fresh.output('Data', 'QueueUrl'),
      this.fresh.output('Data', 'DeadLetterUrl'),
    );
  }

  /** A person who signed in and is in the group of administrators. */
  get adminToken(): string {
    return this.issuer.tokenFor('ann@example.com', [ADMIN_GROUP]);
  }

  /** @returns seconds of bootstrap */
  async deployFresh(): Promise<number> {
    const seconds = await bootstrap(this.cloud);
    this.fresh = await deployHub(this.cloud, this.configFile);
    return seconds;
  }

  /** After the configuration changed. */
  update(changes: Record<string, unknown>): Promise<Deployment> {
    return changeConfig(this.configFile, changes).then(() => deployHub(this.cloud, this.configFile));
  }

  /** Physical ids of everything that the hub consists of, by stack and logical id. */
  async resources(): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    for (const stack of this.fresh.stacks) {
      for (const [id, physical] of await resourcesOf(stack, rootOf(this.cloud, HUB_ACCOUNT)))
        found.set(`${stack}/${id}`, physical);
    }
    return found;
  }

  /** `cinderblock …`, as an administrator. @throws Error when it does not end with 0 */
  async cli(...args: string[]): Promise<Outcome> {
    const env = {
      CINDERBLOCK_URL: this.queryUrl,
      CINDERBLOCK_TOKEN: this.adminToken,
      CINDERBLOCK_CONFIG: this.configFile,
    };
    const outcome = await cinderblock(args, { env });
    if (outcome.code === 0) return outcome;
    throw new Error(
      `cinderblock ${args.join(' ')} ended with ${outcome.code}: ${outcome.out}${outcome.notes}`,
    );
  }

  /** `cinderblock cluster add`: registers it, and writes its entry into the configuration. */
  async addCluster(cluster: ClusterName): Promise<void> {
    const account = SPOKE_ACCOUNTS[cluster];
    const place = ['--account', account, '--mode', 'irsa', '--oidc-provider', oidcProviderArn({ account })];
    const { out } = await this.cli('cluster', 'add', cluster, ...place, '--no-wait', '--output', 'json');
    const { role } = JSON.parse(out);
    const tokenFile = await writeServiceAccountToken(this.cloud, cluster);
    const [externalId] = role.externalIds;
    this.spokes[cluster] = { cluster, account, hubRoleArn: role.roleArn, externalId, tokenFile };
  }

  /** The clusters' side: one with the CDK, one without. */
  async deploySpokes(): Promise<void> {
    await deploySpoke(this.cloud, this.spokes.a);
    await deploySpokeTemplate(this.cloud, this.spokes.b);
    for (const cluster of ['a', 'b'] as const)
      this.credentials[cluster] = await agentCredentials(this.spokes[cluster]);
  }

  /** A batch that must be accepted, signed by an agent of its cluster. */
  async send(cluster: ClusterName, bytes: Uint8Array): Promise<void> {
    const answer = await sendBatch(this.ingestUrl, cluster, this.credentials[cluster], bytes);
    if (answer.status !== 202) throw new Error(`ingest answered ${answer.status}: ${answer.body}`);
  }

  /** Samples in all batches that were made so far. */
  get sent(): number {
    return this.batches.a.samples + this.batches.b.samples;
  }

  /** Of the flame graph of all that was sent. */
  total(): Promise<number> {
    return this.totalOf(`{service_name="${SERVICE}"}`);
  }

  totalOf(selector: string, range?: TimeRange): Promise<number> {
    return flameGraphTotal(this.queryUrl, this.queryToken, selector, range);
  }

  /** What the functions said since a moment, ms since epoch, that is a warning or worse. */
  async troubles(since: number): Promise<string[]> {
    const groups = [...(await this.resources()).values()].filter((id) =>
      /^\/aws\/.*[a-z]Logs[0-9A-F]{8}$/.test(id),
    );
    const root = rootOf(this.cloud, HUB_ACCOUNT);
    const lines = await Promise.all(groups.map((group) => linesOf(group, since, root)));
    return lines.flat().filter((line) => /"level":"(WARN|ERROR)"|Error/.test(line));
  }

  /** @param logicalId must fit one resource of the stack */
  async physicalId(stack: string, logicalId: RegExp): Promise<string> {
    const resources = await resourcesOf(`Cinderblock-Lane-${stack}`, rootOf(this.cloud, HUB_ACCOUNT));
    const found = [...resources].filter(([id]) => logicalId.test(id));
    if (found.length === 1) return found[0][1];
    throw new Error(`${stack} has ${found.length} resources ${logicalId}`);
  }

  /** As Lambda knows a function. */
  functionNamed(stack: string, name: string): Promise<string> {
    return this.physicalId(stack, new RegExp(`^${name}[0-9A-F]{8}$`));
  }

  async configuredClusters(): Promise<string[]> {
    return JSON.parse(await readFile(this.configFile, 'utf8')).clusters.map(
      ({ cluster }: { cluster: string }) => cluster,
    );
  }
}
