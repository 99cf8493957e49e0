import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { type BuiltFunction, buildFunctions, FUNCTION_NAMES } from '../../functions/build.ts';

/** Constants and types that came along are no surprise, in bytes. */
const UNNOTICED_BYTES = 500;

/** What none of those has who are not called by people or agents. */
const NO_API = /^(aws-jwt-verify|@bufbuild|@connectrpc)|^api\/(?!gunzip)|core\/(flamegraph|otlp|pprof)/;

/** Most that each bundle may have, in KiB, as it is and gzipped; and what has no business in it. */
const BUDGETS: Record<(typeof FUNCTION_NAMES)[number], { kib: number; gzipKib: number; without: RegExp }> = {
  ingest: {
    kib: 850,
    gzipKib: 260,
    without: /^(re2js|aws-jwt-verify)$|core\/flamegraph|\/(query|admin|compaction)\//,
  },
  processor: {
    kib: 650,
    gzipKib: 200,
    without: /^(re2js|aws-jwt-verify|@bufbuild|@connectrpc)|^api\/(?!gunzip)|core\/(flamegraph|otlp|pprof)/,
  },
  query: {
    kib: 1100,
    gzipKib: 335,
    without: /^aws-jwt-verify$|core\/otlp|\/(ingest\/(?!request-time)|admin\/)/,
  },
  // Blocks and label matchers: no table, no queue, no API.
  'query-worker': {
    kib: 690,
    gzipKib: 216,
    without:
      /^(aws-jwt-verify|@bufbuild|@connectrpc|@aws-sdk\/client-(?!s3))|^api\/|core\/(otlp|pprof|compaction)/,
  },
  admin: { kib: 1060, gzipKib: 322, without: /^aws-jwt-verify$|core\/(flamegraph|otlp|pprof)/ },
  authorizer: {
    kib: 430,
    gzipKib: 135,
    without: /^(re2js|@bufbuild|@connectrpc|@aws-sdk\/client-(s3|sqs))|^(core|pipeline)\/(?!errors)/,
  },
  'compaction-planner': { kib: 620, gzipKib: 190, without: /^re2js$|^core\/block\/block-writer/ },
  'compaction-worker': { kib: 820, gzipKib: 255, without: NO_API },
  housekeeper: { kib: 840, gzipKib: 262, without: NO_API },
};

const built: Promise<BuiltFunction[]> = buildFunctions();

test('every bundle is within its budget, and holds nothing that it has no use for', async () => {
  assert.deepEqual(
    (await built).map(({ name }) => name),
    [...FUNCTION_NAMES],
  );
  for (const { name, bytes, gzipBytes, parts } of await built) {
    const { kib, gzipKib, without } = BUDGETS[name as keyof typeof BUDGETS];
    assert.ok(bytes <= kib * 1024, `${name} has ${bytes} bytes, its budget is ${kib} KiB`);
    assert.ok(
      gzipBytes <= gzipKib * 1024,
      `${name} has ${gzipBytes} bytes gzipped, its budget is ${gzipKib} KiB`,
    );
    assert.deepEqual(
      parts.filter(([source, size]) => size > UNNOTICED_BYTES && without.test(source)),
      [],
      name,
    );
  }
});

test('every bundle starts in an empty environment, and exports its handler', async () => {
  const script = 'const {handler}=await import(process.argv[1]);console.log(typeof handler)';
  for (const { folder } of await built) {
    const args = ['--input-type=module', '--eval', script, join(folder, 'index.mjs')];
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { env: {} });
    assert.deepEqual([stdout, stderr], ['function\n', ''], folder);
  }
});

test('called without its environment, a function says which variables it lacks', async () => {
  const [{ folder }] = (await built) as [BuiltFunction];
  const script = `const {handler}=await import(process.argv[1]);
    await handler({}, {awsRequestId: 'r'}).catch((error) => console.log(error.message))`;
  const args = ['--input-type=module', '--eval', script, join(folder, 'index.mjs')];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env: {} });
  assert.match(stdout, /^the environment of this function lacks CINDERBLOCK_BUCKET, /);
});

test('the same sources make the same bytes, whoever builds, in one file without a map or a path of this machine', async () => {
  const hashes: string[] = [];
  for (const build of [await built, await buildFunctions(['processor'])]) {
    const { folder } = build.find(({ name }) => name === 'processor')!;
    assert.deepEqual(await readdir(folder), ['index.mjs']);
    const code = await readFile(join(folder, 'index.mjs'));
    assert.ok(!code.includes(join(import.meta.dirname, '../..')), folder);
    assert.ok(!code.includes('sourceMappingURL'), folder);
    hashes.push(createHash('sha256').update(code).digest('hex'));
  }
  assert.equal(hashes[0], hashes[1]);
});
