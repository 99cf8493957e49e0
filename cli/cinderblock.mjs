#!/usr/bin/env node
// Starts the command line under the Node.js that the product brings along (npm package `node`), whatever Node.js runs
// this file: so nothing here may be newer than Node.js 14.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const home = dirname(dirname(fileURLToPath(import.meta.url)));
const main = join(home, 'cli', 'main.ts');
// Installed as a dependency of another package, ours lie beside us or above.
const candidates = [join(home, 'node_modules'), dirname(home), dirname(dirname(home))];
const node = candidates.map((folder) => join(folder, 'node', 'bin', 'node')).find((file) => existsSync(file));

if (node === undefined) {
  console.error(`cinderblock: its Node.js is not installed yet; run \`npm ci\` in ${home}`);
  process.exit(1);
}

const args = ['--disable-warning=ExperimentalWarning', main].concat(process.argv.slice(2));
const child = spawn(node, args, { stdio: 'inherit' });

// A terminal sends Ctrl-C to both; a supervisor only to this process. The child may take either as one request to stop.
const forwarded = ['SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'];
for (const signal of forwarded) process.on(signal, () => child.kill(signal));
const hasTerminal = [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY);
process.on('SIGINT', () => {
  if (!hasTerminal) child.kill('SIGINT');
});

child.on('error', (error) => {
  console.error(`cinderblock: cannot start ${node}: ${error.message}`);
  process.exit(1);
});
child.on('exit', (code, signal) =>
  process.exit(code === null ? 128 + (constants.signals[signal] || 0) : code),
);
