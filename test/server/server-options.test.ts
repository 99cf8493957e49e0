import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { parseServeCommand } from '../../server/server-options.ts';
import { EXIT_USAGE, StartupError } from '../../server/startup-error.ts';

test('defaults', () => {
  assert.deepEqual(parseServeCommand([], {}), {
    ...{
      host: '127.0.0.1',
      port: 4040,
      dataFolder: resolve('.cinderblock'),
      pathPrefix: '',
      rollUpLabels: [],
      token: undefined,
    },
    ...{ open: false, agent: true, web: true, quiet: false, help: false, version: false },
  });
});

test('the environment beats the default, a flag beats the environment, and empty is not set', () => {
  const env = {
    CINDERBLOCK_HOST: 'localhost',
    CINDERBLOCK_PORT: '1',
    CINDERBLOCK_DATA: '/a',
    CINDERBLOCK_PREFIX: '/p/',
    CINDERBLOCK_ROLL_UP_LABELS: 'pod, container_id,pod,',
  };
  const fromEnv = parseServeCommand([], env);
  assert.partialDeepStrictEqual(fromEnv, { host: 'localhost', port: 1, dataFolder: '/a', pathPrefix: '/p' });
  assert.deepEqual(fromEnv.rollUpLabels, ['pod', 'container_id']);
  assert.deepEqual(parseServeCommand(['--roll-up-labels', 'node'], env).rollUpLabels, ['node']);
  assert.deepEqual(parseServeCommand(['--roll-up-labels='], env).rollUpLabels, []);
  const flags = [
    '--host',
    '::1',
    '--port=2',
    '--data',
    '/b',
    '--prefix',
    '/q',
    '--no-agent',
    '--no-web',
    '--quiet',
  ];
  assert.partialDeepStrictEqual(parseServeCommand(flags, env), {
    ...{ host: '::1', port: 2, dataFolder: '/b', pathPrefix: '/q', agent: false, web: false, quiet: true },
  });
  assert.equal(parseServeCommand([], { CINDERBLOCK_PORT: '', CINDERBLOCK_TOKEN: '' }).port, 4040);
});

test('what cannot be is named', () => {
  const cases: [string[], Record<string, string>, RegExp][] = [
    [['--prot', '1'], {}, /'--prot'.*--help lists/],
    [['serve'], {}, /'serve'/],
    [['--port', '70000'], {}, /port "70000"/],
    [['--port', '-1'], {}, /port|ambiguous/],
    [[], { CINDERBLOCK_PORT: 'x' }, /port "x"/],
    [['--prefix', 'a b'], {}, /prefix "a b"/],
    [['--roll-up-labels', 'pod,cluster'], {}, /--roll-up-labels pod,cluster: cluster cannot be rolled up/],
    [[], { CINDERBLOCK_ROLL_UP_LABELS: 'service_name' }, /service_name cannot be rolled up/],
    [['--prefix', '/a/../b//c'], {}, /prefix/],
  ];
  for (const [args, env, message] of cases) {
    assert.throws(
      () => parseServeCommand(args, env),
      (error) =>
        error instanceof StartupError && error.exitCode === EXIT_USAGE && message.test(error.message),
      args.join(' '),
    );
  }
});

test('off loopback, somebody must have said who may come in', () => {
  const refused = (args: string[], env: Record<string, string>, message: RegExp) =>
    assert.throws(() => parseServeCommand(args, env), message);
  for (const host of ['0.0.0.0', '::', '10.0.0.1', 'profiles.example', '127.0.0.1.example']) {
    refused(['--host', host], {}, /can be reached from other machines: set CINDERBLOCK_TOKEN .* --open/);
  }
  refused(['--host', '0.0.0.0'], { CINDERBLOCK_TOKEN: 'short' }, /5 characters, it needs 16/);
  assert.equal(parseServeCommand(['--host', '0.0.0.0', '--open'], {}).open, true);
  assert.ok(parseServeCommand(['--host', '0.0.0.0'], { CINDERBLOCK_TOKEN: '0123456789abcdef' }).token);
  for (const host of ['127.0.0.1', '127.1.2.3', '::1', 'localhost']) parseServeCommand(['--host', host], {});
  parseServeCommand(['--host', '0.0.0.0', '--help'], {});
});
