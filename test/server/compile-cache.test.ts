import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { compileCacheFolder } from '../../server/compile-cache.ts';
import { temporaryFolder } from './temporary-folder.ts';

const CLI = join(import.meta.dirname, '..', '..', 'cli', 'main.ts');

function version(cacheHome: string): string {
  const env = { ...process.env, XDG_CACHE_HOME: cacheHome, NODE_COMPILE_CACHE: undefined };
  return execFileSync(process.execPath, ['--disable-warning=ExperimentalWarning', CLI, '--version'], {
    env,
    encoding: 'utf8',
  });
}

test('what was compiled is kept in a folder of the one who runs it', (t) => {
  const home = temporaryFolder(t);
  const first = version(home);
  assert.ok(readdirSync(join(home, 'cinderblock', 'compiled'), { recursive: true }).length > 20);
  assert.equal(version(home), first);
  assert.equal(compileCacheFolder({ XDG_CACHE_HOME: home }), join(home, 'cinderblock', 'compiled'));
  const usual = join(homedir(), '.cache', 'cinderblock', 'compiled');
  assert.equal(compileCacheFolder({}), usual);
  assert.equal(compileCacheFolder({ XDG_CACHE_HOME: 'relative' }), usual);
});

test('without a folder to write to, all works as before', (t) => {
  const file = join(temporaryFolder(t), 'file');
  writeFileSync(file, '');
  assert.match(version(file), /^cinderblock \d/);
});
