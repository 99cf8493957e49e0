import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { COST_HELP, parseCostOptions } from '../../bench/cost/cost-options.ts';
import { withTables } from '../../bench/cost/cost-tables.ts';

const COST = join(import.meta.dirname, '../../bench/cost/cost.ts');
const cost = (...args: string[]) =>
  spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', COST, ...args], { encoding: 'utf8' });

test('options have defaults, and the help names every one', () => {
  const { inputs, output, measure } = parseCostOptions([]);
  assert.deepEqual(inputs, {
    nodes: 1000,
    flushSeconds: 60,
    batchKb: 100,
    heartbeatSeconds: 300,
    retentionDays: 14,
    queriesPerDay: 1000,
    relay: false,
  });
  assert.deepEqual({ output, measure }, { output: 'text', measure: true });
  assert.equal(parseCostOptions(['--no-measure']).measure, false);
  assert.equal(parseCostOptions(['--ingest-cpu-ms', '3', '--processor-cpu-ms=4']).measure, false);
  const flags = COST_HELP.match(/--[a-z-]+/g)!;
  assert.ok(
    flags.includes('--queries-per-day') && flags.includes('--no-measure') && flags.includes('--save'),
  );
});

test('what is wrong is said with the option and the value', () => {
  assert.throws(
    () => parseCostOptions(['--nodes', 'many']),
    /--nodes must be a number from 1 to 10000000, not "many"/,
  );
  assert.throws(() => parseCostOptions(['--batch-kb', '5000']), /--batch-kb/);
  assert.throws(
    () => parseCostOptions(['--output', 'xml']),
    /--output must be text, json or markdown, not "xml"/,
  );
  assert.throws(() => parseCostOptions(['--node', '3']), /--node/);
  assert.throws(() => parseCostOptions(['--write-docs']), /--write-docs needs --no-measure or --save/);
});

test('docs/cost.md has the tables that the last measurement gives', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/cost.md'), 'utf8');
  const tables = cost('--no-measure', '--output', 'markdown').stdout.trim().split('\n\n');
  assert.equal(tables.length, 2);
  for (const table of tables) {
    assert.ok(page.includes(table), `npm run cost -- --no-measure --write-docs mends it:\n${table}`);
  }
});

test('tables of a page are made anew, and nothing else of it', () => {
  const tables = '| a | b |\n|---|---|\n| 3 | 4 |\n\n| c |\n|---|\n| 5 |\n| 6 |\n';
  const page =
    'One.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n| 1 | 2 |\n\nTwo.\n\n| c |\n|---|\n\nThree | four.\n';
  const mended =
    'One.\n\n| a | b |\n|---|---|\n| 3 | 4 |\n\nTwo.\n\n| c |\n|---|\n| 5 |\n| 6 |\n\nThree | four.\n';
  assert.equal(withTables(page, tables), mended);
  assert.equal(withTables(mended, tables), mended);
  assert.throws(() => withTables('One.\n', tables), /no table that begins with \| a \| b \|/);
});

test('the command prints a bill, as text and as JSON, and refuses what it does not know', () => {
  const text = cost('--nodes', '10', '--no-measure');
  assert.equal(text.status, 0, text.stderr);
  assert.match(text.stdout, /10 nodes, a batch of 100 KB every 60 s/);
  assert.match(text.stdout, /Pyroscope, three zones/);
  const { bill, prices, alternatives } = JSON.parse(cost('--no-measure', '--output', 'json').stdout);
  assert.equal(bill.batches, 43_800_000);
  assert.equal(prices.region, 'us-east-1');
  assert.equal(alternatives.length, 2);
  const refused = cost('--nodes', '0');
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /--nodes must be/);
});
