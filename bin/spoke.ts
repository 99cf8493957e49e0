// The CDK app of a cluster's own account:
//
//   npx cdk deploy --app 'npx node bin/spoke.ts' -c mode=pod-identity -c cluster=prod-eu-1 -c clusterName=prod \
//     -c hubRoleArn=arn:aws:iam::111111111111:role/cinderblock-prod-cluster-prod-eu-1
//
// With --template [FOLDER] it writes plain CloudFormation instead, one template per mode; default dist/spoke.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { App, LegacyStackSynthesizer } from 'aws-cdk-lib';
import { addChecks } from '../lib/checks.ts';
import { spokeTemplates } from '../lib/spoke-templates.ts';
import { fromContext, spokeMode } from '../lib/spoke-values.ts';
import { SpokeStack } from '../lib/stacks/spoke-stack.ts';

const DEFAULT_FOLDER = resolve(import.meta.dirname, '../dist/spoke');

const [option, folder = DEFAULT_FOLDER] = process.argv.slice(2);
if (option === '--template') writeTemplates(folder);
else synthesize();

function writeTemplates(folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const [mode, template] of spokeTemplates()) {
    const file = join(folder, `${mode}.template.json`);
    writeFileSync(file, `${JSON.stringify(template, undefined, 2)}\n`);
    process.stdout.write(`${file}\n`);
  }
}

function synthesize(): void {
  const app = new App();
  const id = `Cinderblock-Spoke-${app.node.tryGetContext('cluster')}`.replace(/[^A-Za-z0-9-]/g, '-');
  // No bootstrap is asked for: there is nothing to upload.
  const synthesizer = new LegacyStackSynthesizer();
  new SpokeStack(app, id, { mode: spokeMode(app.node), readValue: fromContext, synthesizer });
  addChecks(app);
  app.synth();
}
