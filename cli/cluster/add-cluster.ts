import type { AdminClient, ClusterRole, GivenAccess } from '../admin-client.ts';
import { ExitCode } from '../exit-code.ts';
import { durationText } from '../quantity.ts';
import { jsonText } from '../query/answer-json.ts';
import { styled, type Terminal } from '../terminal.ts';
import { agentSettings, helmValues, shellSettings } from './agent-values.ts';
import {
  hubDeployCommand,
  type Place,
  placeHelmValues,
  spokeDeployCommands,
  trustOf,
} from './deploy-steps.ts';
import { checkText, examineHub, probeFromHere, reportChecks } from './doctor-cluster.ts';
import { type ClusterEntry, findConfig, putEntry } from './hub-config.ts';
import { waitForHeartbeat } from './wait-for-heartbeat.ts';

export interface AddOptions {
  readonly cluster: string;
  readonly displayName: string | undefined;
  /** Where agents reach a hub that issues key pairs. */
  readonly hubUrl: string;
  readonly place: Place;
  readonly configFile: string;
  /** 0: do not wait. */
  readonly waitMs: number;
  readonly output: 'text' | 'json';
}

/** Registers a cluster, says what is to be done for its agents to get in, and waits for the first that does. */
export async function addCluster(
  admin: AdminClient,
  options: AddOptions,
  terminal: Terminal,
): Promise<number> {
  const { cluster, displayName = '' } = options;
  const added = await admin.call('AddCluster', { cluster, displayName });
  await (added.role ? tellRole(added.role, options, terminal) : tellKeyPair(added, options, terminal));
  if (options.waitMs === 0) return ExitCode.ok;
  return awaitFirst(admin, added, Number(added.addedAtMs), options, terminal);
}

async function tellKeyPair(access: GivenAccess, options: AddOptions, terminal: Terminal): Promise<void> {
  const settings = agentSettings(access, options.hubUrl);
  const values = helmValues(settings);
  if (options.output === 'json') {
    return terminal.write(jsonText({ ...access, settings, helmValues: values }));
  }
  const name = styled(terminal, 'bold', options.cluster);
  await terminal.write(
    `cluster ${name} was added. Its key pair is shown this once.\n\n` +
      `An agent on a machine of it:\n\n  ${shellSettings(settings)} node agent/cinderblock-agent.mjs\n\n` +
      `In Kubernetes, as values of the Helm chart:\n\n${indented(values)}\n`,
  );
  if (/^https?:\/\/(localhost|127\.|\[::1\])/.test(options.hubUrl)) {
    terminal.note(
      `note: ${options.hubUrl} is reached from this machine alone; for agents elsewhere let the server listen on another ` +
        'address (serve --host, with CINDERBLOCK_TOKEN), and give that with --hub-url',
    );
  }
}

async function tellRole(role: ClusterRole, options: AddOptions, terminal: Terminal): Promise<void> {
  const { cluster, place, output } = options;
  const entry: ClusterEntry = {
    cluster,
    externalIds: role.externalIds,
    trust: trustOf(place, cluster, role),
  };
  const found = findConfig(options.configFile, role, cluster);
  if ('file' in found) putEntry(found.file, entry);
  const hubCommand = hubDeployCommand(found.stackPrefix);
  const spokeCommands = spokeDeployCommands(place, cluster, role);
  const values = placeHelmValues(place, cluster, role);
  if (output === 'json') {
    const [withCdk, asTemplate] = spokeCommands;
    const deploy = { hub: hubCommand, spoke: withCdk?.[0], spokeTemplate: asTemplate };
    return terminal.write(
      jsonText({
        cluster,
        role,
        entry,
        configFile: 'file' in found ? found.file : null,
        deploy,
        helmValues: values,
      }),
    );
  }
  const written =
    'file' in found
      ? `its entry was written to ${found.file}; look at it, commit it, and deploy:`
      : `${found.missing}: put this entry into "clusters" of the hub's configuration, and deploy:\n\n${indented(
          JSON.stringify(entry, undefined, 2),
        )}`;
  const name = styled(terminal, 'bold', cluster);
  await terminal.write(
    `cluster ${name} was added to the hub in account ${role.account}, ${role.region}.\n\n` +
      `1. In the hub's account: ${written}\n\n  ${hubCommand}\n\n` +
      `${spokeText(spokeCommands, place, role)}` +
      `${spokeCommands.length > 0 ? 3 : 2}. In the cluster: agents, with these values of the Helm chart:\n\n${indented(values)}\n`,
  );
}

function spokeText(commands: readonly (readonly string[])[], place: Place, { account }: ClusterRole): string {
  const [withCdk, asTemplate] = commands;
  if (withCdk === undefined || asTemplate === undefined) return '';
  const again =
    place.mode === 'pod-identity-target-role'
      ? '   EKS makes an external id of its own: put the output ExternalId of this stack into externalIds of the entry, and\n' +
        '   deploy step 1 once more.\n\n'
      : '';
  return (
    `2. In the cluster's account (${place.account ?? account}): the role of its agents.\n\n  ${withCdk.join('\n  ')}\n\n` +
    `   or, as a plain template without the CDK:\n\n  ${asTemplate.join('\n  ')}\n\n${again}`
  );
}

/** When nobody is heard, the doctor says what is wrong, as far as that can be seen from here. */
async function awaitFirst(
  admin: AdminClient,
  access: GivenAccess,
  since: number,
  { cluster, waitMs, hubUrl }: AddOptions,
  terminal: Terminal,
): Promise<number> {
  const agent = await waitForHeartbeat(admin, { cluster, since, waitMs }, terminal);
  if (agent !== undefined) {
    terminal.note(`${cluster} is heard: node ${agent.node}, agent ${agent.version}, engine ${agent.engine}`);
    return ExitCode.ok;
  }
  terminal.note(`no agent of ${cluster} was heard within ${durationText(waitMs)}`);
  const note = (check: Parameters<typeof checkText>[0]) =>
    terminal.note(checkText(check, terminal).trimEnd());
  await reportChecks(examineHub(admin, cluster), terminal, note);
  if (access.keyPair) {
    terminal.note('from here, with the key pair that was issued:');
    await reportChecks(probeFromHere(cluster, terminal, agentSettings(access, hubUrl)), terminal, note);
  }
  terminal.note(
    'where the agent runs, `cinderblock-agent doctor` looks at its network, clock and credentials',
  );
  return ExitCode.retryable;
}

function indented(text: string): string {
  return text.trimEnd().replace(/^/gm, '  ').concat('\n');
}
