// The CDK app of a hub: `npx cdk deploy --all`. Builds functions and page first, so that what is deployed is what is here.
import { resolve } from 'node:path';
import { App } from 'aws-cdk-lib';
import { build } from 'vite';
import { buildFunctions } from '../functions/build.ts';
import { addChecks } from '../lib/checks.ts';
import { readHubConfig } from '../lib/config.ts';
import { hubStacks } from '../lib/stacks/hub-stacks.ts';

const ROOT = resolve(import.meta.dirname, '..');

const app = new App();
const file =
  app.node.tryGetContext('config') ?? process.env.CINDERBLOCK_CONFIG ?? `${ROOT}/cinderblock.config.json`;
const config = readHubConfig(file);
await buildFunctions();
if (config.web)
  await build({ configFile: `${ROOT}/web/vite.config.ts`, root: `${ROOT}/web`, logLevel: 'warn' });
hubStacks(app, config, { functions: `${ROOT}/dist/functions`, page: `${ROOT}/web/dist` });
addChecks(app);
app.synth();
