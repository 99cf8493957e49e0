import { readFileSync } from 'node:fs';
import { CfnParameter, type Stack } from 'aws-cdk-lib';
import type { Node } from 'constructs';

/** How agents get credentials: see SpokeAccess. */
export const SPOKE_MODES = ['pod-identity', 'pod-identity-target-role', 'irsa', 'roles-anywhere'] as const;
export type SpokeMode = (typeof SPOKE_MODES)[number];

interface SpokeValue {
  readonly description: string;
  readonly pattern: string;
  readonly fallback?: string;
  /** In the context stands the file that holds it, since the CDK cuts values at the end of a line. */
  readonly isFile?: boolean;
}

const ROLE_NAME_CHARS = '[\\w+=,.@-]';

/** What a spoke is told. The same names are keys of the CDK's context and, capitalized, parameters of the templates. */
const SPOKE_VALUES = {
  cluster: { description: 'The cluster, as the hub knows it', pattern: '[A-Za-z0-9._-]{1,46}' },
  hubRoleArn: {
    description: 'Role in the account of the hub; "cinderblock cluster add" prints it',
    pattern: `arn:aws[\\w-]*:iam::\\d{12}:role/${ROLE_NAME_CHARS}+`,
  },
  clusterName: { description: 'Name of the EKS cluster', pattern: '[A-Za-z0-9][A-Za-z0-9_-]{0,99}' },
  namespace: { description: 'Namespace of the agents', pattern: '[a-z0-9-]{1,63}', fallback: 'cinderblock' },
  serviceAccount: {
    description: 'Service account of the agents',
    pattern: '[a-z0-9.-]{1,253}',
    fallback: 'cinderblock-agent',
  },
  oidcProviderArn: {
    description: 'OIDC provider of the cluster in IAM',
    pattern: 'arn:aws[\\w-]*:iam::\\d{12}:oidc-provider/.+',
  },
  authorityCertificate: {
    description: 'Certificate (PEM) of the authority that signs the certificates of agents',
    pattern: '-----BEGIN CERTIFICATE-----[\\s\\S]+',
    isFile: true,
  },
  certificateCommonName: { description: 'Common name in the certificates of agents', pattern: '.{1,64}' },
} as const satisfies Record<string, SpokeValue>;

export type SpokeValueName = keyof typeof SPOKE_VALUES;

/** @throws Error that names the modes there are */
export function spokeMode(node: Node): SpokeMode {
  const mode = node.tryGetContext('mode') ?? 'pod-identity';
  if (!SPOKE_MODES.includes(mode)) throw new Error(`-c mode=${mode}: there are ${SPOKE_MODES.join(', ')}`);
  return mode;
}

/** A value from the context of a deployment (`-c name=value`). @throws Error that names it when it is missing or wrong */
export function fromContext(name: SpokeValueName, stack: Stack): string {
  const { description, pattern, fallback, isFile = false }: SpokeValue = SPOKE_VALUES[name];
  const given: string | undefined = stack.node.tryGetContext(name) ?? fallback;
  if (given === undefined) throw new Error(`-c ${name}=… is missing: ${description}`);
  const value = isFile ? readFileSync(given, 'utf8') : given;
  if (!new RegExp(`^${pattern}$`).test(value)) throw new Error(`-c ${name}=${given} does not fit ${pattern}`);
  return value;
}

/** A value from a parameter of the template. */
export function fromParameter(name: SpokeValueName, stack: Stack): string {
  const { description, pattern, fallback }: SpokeValue = SPOKE_VALUES[name];
  const id = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
  const props = { description, allowedPattern: pattern, default: fallback };
  return new CfnParameter(stack, id, props).valueAsString;
}
