import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { MalformedInputError } from '../../core/errors.ts';
import type { ClusterRole } from '../admin-client.ts';
import type { Terminal } from '../terminal.ts';

// The file that says how a hub on AWS is deployed. Here only its list of clusters is changed: what is in it is checked
// whole when it is deployed.

const DEFAULT_FILE = 'cinderblock.config.json';

/** Who may become the role of a cluster. */
export type ClusterTrust =
  | { readonly kind: 'role'; readonly arn: string }
  | {
      readonly kind: 'roles-anywhere';
      readonly trustAnchorArn: string;
      readonly certificateCommonName: string;
    };

export interface ClusterEntry {
  cluster: string;
  externalIds: readonly string[];
  trust: ClusterTrust;
}

interface HubConfigFile {
  name?: string;
  stage?: string;
  clusters?: ClusterEntry[];
}

/** Where the file of this hub is, or why there is none to write to. */
export type FoundConfig =
  | { readonly file: string; readonly stackPrefix: string }
  | { readonly missing: string; readonly stackPrefix: string };

export function configFileOf(values: { readonly config?: string }, { env }: Terminal): string {
  return values.config ?? (env.CINDERBLOCK_CONFIG || DEFAULT_FILE);
}

/** Looks whether a file is of the hub that this role is of: the hub's name and stage begin the role's name. */
export function findConfig(file: string, { roleArn }: ClusterRole, cluster: string): FoundConfig {
  const rolePrefix = roleArn.slice(roleArn.lastIndexOf('/') + 1, -cluster.length);
  const hub = rolePrefix.replace(/-cluster-$/, '');
  // Without the file, where the name ends and the stage begins is a guess: most stages are one word.
  const dash = hub.lastIndexOf('-');
  const guessed = `${capitalized(hub.slice(0, dash))}-${capitalized(hub.slice(dash + 1))}`;
  if (!existsSync(file)) return { missing: `there is no ${file} here`, stackPrefix: guessed };
  const { name = 'cinderblock', stage = 'prod' } = readConfig(file);
  if (`${name}-${stage}` === hub) return { file, stackPrefix: `${capitalized(name)}-${capitalized(stage)}` };
  return { missing: `${file} is of the hub ${name}-${stage}, not of ${hub}`, stackPrefix: guessed };
}

/** Puts an entry in place of the cluster's old one, or at the end. */
export function putEntry(file: string, entry: ClusterEntry): void {
  changeClusters(file, (clusters) => {
    const at = clusters.findIndex(({ cluster }) => cluster === entry.cluster);
    return at < 0 ? [...clusters, entry] : clusters.with(at, entry);
  });
}

/** Changes the external ids of a cluster. @returns false when the file does not have it */
export function putExternalIds(file: string, cluster: string, externalIds: readonly string[]): boolean {
  const entry = readConfig(file).clusters?.find((known) => known.cluster === cluster);
  if (entry) putEntry(file, { ...entry, externalIds });
  return entry !== undefined;
}

/** @returns false when the file does not have it */
export function dropEntry(file: string, cluster: string): boolean {
  const before = readConfig(file).clusters ?? [];
  if (!before.some((entry) => entry.cluster === cluster)) return false;
  changeClusters(file, (clusters) => clusters.filter((entry) => entry.cluster !== cluster));
  return true;
}

function changeClusters(file: string, change: (clusters: ClusterEntry[]) => ClusterEntry[]): void {
  const config = readConfig(file);
  const changed = { ...config, clusters: change(config.clusters ?? []) };
  // In one step: whoever deploys at this moment reads the one file or the other.
  writeFileSync(`${file}.new`, configText(changed));
  renameSync(`${file}.new`, file);
}

/** Lists of words stand on one line, as in the file that comes with the product. */
function configText(config: object): string {
  const text = JSON.stringify(config, undefined, 2);
  const wordList = /\[\n\s+("[^"\\\n]*"(?:,\n\s+"[^"\\\n]*")*)\n\s+\]/g;
  return `${text.replace(wordList, (_, words: string) => `[${words.replace(/,\n\s+/g, ', ')}]`)}\n`;
}

function readConfig(file: string): HubConfigFile {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new MalformedInputError(file, (cause as Error).message, undefined, { cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new MalformedInputError(file, 'is no configuration of a hub');
}

function capitalized(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
