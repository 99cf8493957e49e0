import type { AdminClient, ClusterRole } from '../admin-client.ts';
import { confirmed } from '../confirm.ts';
import { ExitCode } from '../exit-code.ts';
import { counted, timeText } from '../quantity.ts';
import { jsonText } from '../query/answer-json.ts';
import type { Terminal } from '../terminal.ts';
import { agentSettings, helmValues, shellSettings } from './agent-values.ts';
import { hubDeployCommand } from './deploy-steps.ts';
import { dropEntry, findConfig, putExternalIds } from './hub-config.ts';

export interface ChangeOptions {
  readonly cluster: string;
  readonly hubUrl: string;
  readonly configFile: string;
  readonly output: 'text' | 'json';
  readonly yes: boolean;
}

/** Gives a cluster fresh access, or ends what was replaced before. */
export async function rotateCluster(
  admin: AdminClient,
  options: ChangeOptions & { graceMs: number | undefined; finish: boolean },
  terminal: Terminal,
): Promise<number> {
  const { cluster, graceMs, finish } = options;
  if (finish || graceMs === 0) {
    const what = `Agents of ${cluster} that still have the old access are refused from now on`;
    if (!(await confirmed(terminal, options.yes, what))) return ExitCode.refused;
  }
  const rotated = await admin.call('RotateCluster', {
    cluster,
    finish,
    ...(graceMs !== undefined && { graceMs }),
  });
  const settings = agentSettings(rotated, options.hubUrl);
  const written = rotated.role && writeIds(rotated.role, options);
  if (options.output === 'json') {
    await terminal.write(jsonText({ ...rotated, ...(rotated.keyPair && { settings }), ...written }));
  } else if (rotated.role && written) await terminal.write(roleText(rotated.role, written, options));
  else if (rotated.keyPair) {
    const { oldUntilMs } = rotated;
    const old =
      oldUntilMs === undefined
        ? 'what it replaces is refused from now on'
        : `what it replaces stops at ${timeText(Number(oldUntilMs))}`;
    await terminal.write(
      `cluster ${cluster} has a new key pair, which is shown this once; ${old}.\n\n  ${shellSettings(settings)}\n\n${helmValues(settings)}`,
    );
  } else await terminal.write(`cluster ${cluster}: what was replaced is refused from now on\n`);
  return ExitCode.ok;
}

interface WrittenIds {
  readonly configFile: string | null;
  readonly deploy: string;
}

function writeIds(role: ClusterRole, { cluster, configFile }: ChangeOptions): WrittenIds {
  const found = findConfig(configFile, role, cluster);
  const isWritten = 'file' in found && putExternalIds(found.file, cluster, role.externalIds);
  return { configFile: isWritten ? configFile : null, deploy: hubDeployCommand(found.stackPrefix) };
}

function roleText(role: ClusterRole, { configFile, deploy }: WrittenIds, { cluster }: ChangeOptions): string {
  const [newest, ...older] = role.externalIds;
  const list = JSON.stringify(role.externalIds);
  const written =
    configFile === null
      ? `put "externalIds": ${list} into its entry of the hub's configuration, and`
      : `${configFile} has it;`;
  const next =
    older.length === 0
      ? ''
      : `2. give agents the new id (externalId: ${newest})\n` +
        `3. once they have it: cinderblock cluster rotate ${cluster} --finish, and deploy again\n`;
  return (
    `cluster ${cluster} has ${older.length === 0 ? 'one external id' : 'a new external id, beside the one before'}.\n\n` +
    `1. ${written} deploy: ${deploy}\n${next}`
  );
}

/** Refuses what a cluster sends, or takes it again. */
export async function switchCluster(
  admin: AdminClient,
  verb: 'disable' | 'enable',
  options: ChangeOptions,
  terminal: Terminal,
): Promise<number> {
  const { cluster } = options;
  const consequence = `What agents of ${cluster} send is refused until it is enabled again`;
  if (verb === 'disable' && !(await confirmed(terminal, options.yes, consequence))) return ExitCode.refused;
  await admin.call(verb === 'disable' ? 'DisableCluster' : 'EnableCluster', { cluster });
  const status = verb === 'disable' ? 'disabled' : 'active';
  await terminal.write(
    options.output === 'json' ? jsonText({ cluster, status }) : `cluster ${cluster} is ${status}\n`,
  );
  return ExitCode.ok;
}

/** Ends all access of a cluster. */
export async function removeCluster(
  admin: AdminClient,
  options: ChangeOptions,
  terminal: Terminal,
): Promise<number> {
  const { cluster, output } = options;
  const consequence = `All access of ${cluster} ends at once; its profiles stay`;
  if (!(await confirmed(terminal, options.yes, consequence))) return ExitCode.refused;
  const { role } = await admin.call('GetCluster', { cluster, lossHours: 0 });
  const { revokedKeys } = await admin.call('RemoveCluster', { cluster });
  const found = role && findConfig(options.configFile, role, cluster);
  const isDropped = found !== undefined && 'file' in found && dropEntry(found.file, cluster);
  const deploy = found && hubDeployCommand(found.stackPrefix);
  if (output === 'json') {
    await terminal.write(jsonText({ cluster, status: 'removed', revokedKeys, deploy }));
    return ExitCode.ok;
  }
  const keys = revokedKeys > 0 ? `, ${counted(revokedKeys, 'key pair')} revoked` : '';
  await terminal.write(
    `cluster ${cluster} is removed${keys}; its profiles stay until retention deletes them\n`,
  );
  if (deploy !== undefined) {
    const entry = isDropped
      ? `its entry is gone from ${options.configFile};`
      : 'take its entry out of the configuration, and';
    await terminal.write(
      `the hub refuses it from now on; ${entry} deploy, so that its role goes too: ${deploy}\n`,
    );
  }
  return ExitCode.ok;
}
