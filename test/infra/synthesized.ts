import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { App } from 'aws-cdk-lib';
import { FUNCTION_NAMES } from '../../functions/build.ts';
import { addChecks } from '../../lib/checks.ts';
import { parseHubConfig } from '../../lib/config.ts';
import { hubStacks } from '../../lib/stacks/hub-stacks.ts';
import { ROOT } from '../source-tree.ts';

export interface Resource {
  id: string;
  Type: string;
  // biome-ignore lint/suspicious/noExplicitAny: templates are JSON of any shape
  Properties: any;
  DeletionPolicy?: string;
  UpdateReplacePolicy?: string;
}

/** A template as it would be deployed. */
export class Synthesized {
  // biome-ignore lint/suspicious/noExplicitAny: templates are JSON of any shape
  readonly json: any;

  constructor(json: object) {
    this.json = json;
  }

  all(type: string): Resource[] {
    return Object.entries<Resource>(this.json.Resources)
      .map(([id, resource]) => ({ ...resource, id }))
      .filter(({ Type }) => Type === type);
  }

  one(type: string): Resource {
    const [found, another] = this.all(type);
    if (found === undefined || another !== undefined) throw new Error(`${this.all(type).length} of ${type}`);
    return found;
  }

  get resources(): Resource[] {
    return Object.entries<Resource>(this.json.Resources).map(([id, resource]) => ({ ...resource, id }));
  }
}

/** A hub with everything that can be configured. */
export const WHOLE_CONFIG = {
  region: 'eu-central-1',
  account: '111111111111',
  organizationId: 'o-a1b2c3d4e5',
  alarmEmail: 'operators@example.com',
  monthlyBudgetUsd: 250,
  reservedConcurrency: { ingest: 200, processor: 20, query: 50, compactionWorker: 8 },
  clusters: [
    {
      cluster: 'prod-eu-1',
      externalIds: ['new-external-id', 'old-external-id'],
      trust: { kind: 'role', arn: 'arn:aws:iam::222222222222:role/cinderblock-agent-prod-eu-1' },
    },
    {
      cluster: 'cellar',
      trust: {
        kind: 'roles-anywhere',
        trustAnchorArn: 'arn:aws:rolesanywhere:eu-central-1:111111111111:trust-anchor/0f1e2d3c',
        certificateCommonName: 'cellar-agents',
      },
    },
  ],
};

const STACKS = ['data', 'ingest', 'query', 'compaction', 'clusterAccess', 'ops'] as const;
export type StackName = (typeof STACKS)[number];

/** The feature flags of the app; what is built is hashed where it lies. */
const CONTEXT = {
  ...JSON.parse(readFileSync(join(ROOT, 'cdk.json'), 'utf8')).context,
  'aws:cdk:disable-asset-staging': true,
};

/**
 * A new app with the feature flags of cdk.json, its output in a folder that goes with the test. CloudFormation's validator
 * takes seconds: it is asked only where that is the test.
 */
export function newApp({ validates = false } = {}): App {
  const folder = mkdtempSync(join(tmpdir(), 'cinderblock-synth-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const context = { ...CONTEXT, '@aws-cdk/core:validateAgainstDefaultRules': validates };
  return new App({ context, outdir: join(folder, 'out'), analyticsReporting: false });
}

/** The app of a hub, with functions and a page of one line each: what they do is tested elsewhere. */
export function hubApp(config: object = WHOLE_CONFIG, options = {}) {
  const app = newApp(options);
  return { app, stacks: hubStacks(app, parseHubConfig(config, 'test'), stubFolders()) };
}

/** All templates of a hub. */
export function synthesizedHub(config: object = WHOLE_CONFIG): Record<StackName, Synthesized> {
  const { app, stacks } = hubApp(config);
  const assembly = app.synth();
  const templateOf = (name: StackName) =>
    new Synthesized(assembly.getStackArtifact(stacks[name].artifactId).template);
  return Object.fromEntries(STACKS.map((name) => [name, templateOf(name)])) as Record<StackName, Synthesized>;
}

function stubFolders() {
  const folder = mkdtempSync(join(tmpdir(), 'cinderblock-built-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of FUNCTION_NAMES) {
    mkdirSync(join(folder, 'functions', name), { recursive: true });
    writeFileSync(join(folder, 'functions', name, 'index.mjs'), 'export const handler = async () => {};\n');
  }
  mkdirSync(join(folder, 'page/assets'), { recursive: true });
  writeFileSync(join(folder, 'page/index.html'), '<!doctype html>\n');
  writeFileSync(join(folder, 'page/assets/main-1a2b.js'), '\n');
  return { functions: join(folder, 'functions'), page: join(folder, 'page') };
}

/** Names of the rules that the checks of every synthesis find broken in an app. */
export function brokenRulesOf(app: App): string[] {
  addChecks(app);
  // A synthesis with findings also marks the process as failed.
  const { exitCode } = process;
  try {
    app.synth();
  } catch (error) {
    if ((error as Error).name !== 'ValidationFailed') throw error;
  } finally {
    process.exitCode = exitCode;
  }
  const { pluginReports } = JSON.parse(readFileSync(join(app.outdir, 'validation-report.json'), 'utf8'));
  return pluginReports.flatMap(({ violations }: { violations: { ruleName: string }[] }) =>
    violations.map(({ ruleName }) => ruleName),
  );
}
