import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { readSpool } from '../../agent/spool/read-spool.ts';
import type { ClusterName, Lane } from './lane.ts';
import { agentEnvironment } from './spoke-accounts.ts';

const MAIN = join(import.meta.dirname, '../../agent/main.ts');
export const AGENT_NODE = 'pod-of-the-lane';

/**
 * Runs a real agent with what its pod would have, while something is done, and stops it in order.
 * @returns batches that it could not deliver until its end
 * @throws Error with what it said
 */
export async function withAgent(lane: Lane, cluster: ClusterName, act: () => Promise<void>): Promise<number> {
  const folder = join(lane.cloud.folder, `agent-${cluster}`);
  const spoke = lane.spokes[cluster];
  // Keys in the environment would come before the token of the service account.
  const {
    AWS_ACCESS_KEY_ID: _id,
    AWS_SECRET_ACCESS_KEY: _secret,
    ...env
  } = lane.cloud.environment(spoke.account);
  const settings = {
    CINDERBLOCK_NODE: AGENT_NODE,
    CINDERBLOCK_AGENT_DIR: folder,
    CINDERBLOCK_ENGINE: 'node',
    CINDERBLOCK_WINDOW_SECONDS: '1',
    CINDERBLOCK_FLUSH_SECONDS: '1',
  };
  const child = spawn(process.execPath, [MAIN], {
    env: { ...env, ...agentEnvironment(spoke, lane.ingestUrl), ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += text));
  const exited = once(child, 'exit');
  try {
    await act();
    child.kill('SIGTERM');
    const [code] = await exited;
    if (code !== 0) throw new Error(`the agent ended with ${code}`);
    return readSpool(join(folder, 'spool')).waiting;
  } catch (error) {
    child.kill('SIGKILL');
    throw new Error(`${(error as Error).message}; the agent said\n${said}`, { cause: error });
  }
}
