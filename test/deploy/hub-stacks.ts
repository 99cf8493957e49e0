// The stacks of a hub: its configuration, their deployment, and what they answer.
import { readdirSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { adaptTemplates } from './adapt-templates.ts';
import { CLIENT_ID } from './issuer.ts';
import { runCdk } from './run-cdk.ts';
import { HUB_ACCOUNT, REGION, type StandInCloud } from './stand-in-cloud.ts';

/** Writes the configuration of a hub: what it is told; the rest is as a hub has it by default. */
export async function writeConfig(cloud: StandInCloud, settings: { stage: string }): Promise<string> {
  const file = join(cloud.folder, `${settings.stage}.json`);
  await writeFile(file, JSON.stringify({ region: REGION, account: HUB_ACCOUNT, ...settings }));
  return file;
}

/** What the hub of the lane is told. */
export function laneSettings(issuer: string) {
  return {
    stage: 'lane',
    signIn: { kind: 'oidc', issuer, clientId: CLIENT_ID },
    // The page is in page-tests.ts.
    web: false,
    alarmEmail: 'operators@example.com',
    monthlyBudgetUsd: 100,
    clusters: [],
  };
}

export async function changeConfig(file: string, changes: Record<string, unknown>): Promise<void> {
  await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), ...changes }));
}

/** Asks for no app: an account is made ready for whatever is deployed there. @returns seconds */
export async function bootstrap(cloud: StandInCloud): Promise<number> {
  const env = cloud.environment(HUB_ACCOUNT);
  const { seconds } = await runCdk(['bootstrap', `aws://${HUB_ACCOUNT}/${REGION}`], env, cloud.folder);
  return seconds;
}

export interface Deployment {
  synthSeconds: number;
  deploySeconds: number;
  /** Names of all stacks. */
  stacks: string[];
  /** Places that were adapted to the stand-in, by gap. */
  adapted: Map<string, number>;
  output(part: string, name: string): string;
}

let deployments = 0;

/** `cdk synth` and `cdk deploy --all`, with the templates adapted in between. */
export async function deployHub(cloud: StandInCloud, configFile: string): Promise<Deployment> {
  const folder = join(cloud.folder, `deployment-${++deployments}`);
  await mkdir(folder);
  const [assembly, outputsFile] = [join(folder, 'assembly'), join(folder, 'outputs.json')];
  const env = cloud.environment(HUB_ACCOUNT);
  const app = ['--strict', '--no-lookups', '-c', `config=${configFile}`];
  const synth = await runCdk(['synth', '--quiet', '--output', assembly, ...app], env);
  const adapted = adaptTemplates(assembly);
  const options = ['--require-approval', 'never', '--progress', 'events', '--concurrency', '3'];
  const toStacks = ['--all', '--app', assembly, '--outputs-file', outputsFile];
  const deploy = await runCdk(['deploy', ...toStacks, ...options], env);
  const outputs: Record<string, Record<string, string>> = JSON.parse(await readFile(outputsFile, 'utf8'));
  return {
    synthSeconds: synth.seconds,
    deploySeconds: deploy.seconds,
    stacks: readdirSync(assembly).flatMap((name) => /^(.+)\.template\.json$/.exec(name)?.[1] ?? []),
    adapted,
    output(part, name) {
      const [, outputsOfPart] = Object.entries(outputs).find(([stack]) => stack.endsWith(`-${part}`)) ?? [];
      const value = outputsOfPart?.[name];
      if (value === undefined) throw new Error(`the stack ${part} has no output ${name}`);
      return value;
    },
  };
}
