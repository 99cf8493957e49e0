// What is deployed, looked at by a second pair of eyes: the app as the CDK's command line synthesizes it, and the plain
// templates of spokes, through cfn-lint.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ROOT } from '../source-tree.ts';
import { WHOLE_CONFIG } from './synthesized.ts';

/** Roles as dependencies beside references to them: the CDK waits for their policies so. */
const IGNORED = 'W3005';

const folder = mkdtempSync(join(tmpdir(), 'cinderblock-lint-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function run(command: string, args: string[]): string {
  const env = { ...process.env, CDK_DISABLE_CLI_TELEMETRY: 'true', CDK_DISABLE_VERSION_CHECK: '1' };
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: ROOT,
    env,
    encoding: 'utf8',
    timeout: 300_000,
  });
  assert.equal(status, 0, `${command} ${args.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

function templatesIn(path: string): string[] {
  return readdirSync(path)
    .filter((name) => name.endsWith('.template.json'))
    .map((name) => join(path, name));
}

if (spawnSync('cfn-lint', ['--version']).error) {
  console.log('cfn-lint is left out: this machine has none; pip install cfn-lint');
} else {
  test('the stacks of a whole hub, from the command line', () => {
    const config = join(folder, 'hub.json');
    const output = join(folder, 'hub');
    writeFileSync(config, JSON.stringify(WHOLE_CONFIG));
    const cdk = join(ROOT, 'node_modules/aws-cdk/bin/cdk');
    const options = ['--quiet', '--strict', '--no-lookups', '--output', output, '-c', `config=${config}`];
    run(process.execPath, [cdk, 'synth', ...options]);
    const templates = templatesIn(output);
    assert.equal(templates.length, 6);
    run('cfn-lint', ['--ignore-checks', IGNORED, '--', ...templates]);
  });

  test('the plain templates of spokes', () => {
    const output = join(folder, 'spoke');
    run(process.execPath, ['bin/spoke.ts', '--template', output]);
    const templates = templatesIn(output);
    assert.equal(templates.length, 4);
    run('cfn-lint', ['--', ...templates]);
  });
}
