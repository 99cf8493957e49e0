// The pages, against what there is: commands with their verbs and flags, scripts, and names of variables.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COST_HELP } from '../../bench/cost/cost-options.ts';
import { COMMANDS } from '../../cli/run-cli.ts';
import { USAGE } from '../../server/server-options.ts';
import { projectFiles, textOf } from '../source-tree.ts';

const pages = projectFiles().filter((path) => /^(docs\/.*|README|CONTRIBUTING)\.md$/.test(path));

test('every command of the pages exists, with its verb and its flags', () => {
  const helpOf = new Map(COMMANDS.map(({ name, help }) => [name, name === 'serve' ? USAGE : help]));
  let seen = 0;
  for (const path of pages) {
    for (const [whole, name, rest] of textOf(path).matchAll(
      /(?:npx |`|^|\$ )cinderblock ([a-z]+)([^\n`#|]*)/gm,
    )) {
      const help = helpOf.get(name!);
      assert.ok(help, `${path}: ${whole}`);
      seen++;
      const [verb = ''] = rest!.trim().split(/\s+/);
      const hasVerbs = / VERB/.test(help);
      if (hasVerbs && /^[a-z]/.test(verb))
        assert.match(help, new RegExp(`^  ${verb}\\b`, 'm'), `${path}: ${whole}`);
      for (const [flag] of rest!.matchAll(/--[a-z][a-z-]*/g))
        assert.ok(help.includes(flag), `${path}: ${whole}`);
    }
  }
  assert.ok(seen > 40, `${seen} commands`);
});

test('every npm script of the pages exists, and flags of the cost model', () => {
  const { scripts } = JSON.parse(textOf('package.json'));
  for (const path of pages) {
    for (const [whole, name, flags] of textOf(path).matchAll(
      /npm run ([a-z]+(?::[a-z]+)*)(?: -- ([^\n`]*))?/g,
    )) {
      assert.ok(name! in scripts, `${path}: ${whole}`);
      if (name !== 'cost') continue;
      for (const [flag] of (flags ?? '').matchAll(/--[a-z-]+/g))
        assert.ok(COST_HELP.includes(flag), `${path}: ${whole}`);
    }
  }
});

test('every variable of the pages is read somewhere', () => {
  const sources = projectFiles().filter(
    (path) => /\.(ts|mjs|rs)$|^\.ci\//.test(path) && !path.includes('pages.test'),
  );
  const known = new Set(sources.flatMap((path) => textOf(path).match(/CINDERBLOCK_[A-Z_]+/g) ?? []));
  for (const path of pages) {
    for (const [name] of textOf(path).matchAll(/CINDERBLOCK_[A-Z_]+/g))
      assert.ok(known.has(name), `${path}: ${name}`);
  }
});
