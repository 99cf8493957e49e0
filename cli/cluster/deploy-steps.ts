import type { ClusterRole } from '../admin-client.ts';
import { oneOf } from '../command.ts';
import { UsageError } from '../exit-code.ts';
import { agentSettings, helmValues, shellText } from './agent-values.ts';
import type { ClusterTrust } from './hub-config.ts';

/** Options that say where a cluster runs and how its agents get credentials of AWS. */
export const placeOptions = {
  account: { type: 'string' },
  role: { type: 'string' },
  'trust-anchor': { type: 'string' },
  'common-name': { type: 'string' },
  mode: { type: 'string', default: 'pod-identity' },
  'eks-cluster': { type: 'string' },
  'oidc-provider': { type: 'string' },
  'authority-certificate': { type: 'string' },
  namespace: { type: 'string', default: 'cinderblock' },
  'service-account': { type: 'string', default: 'cinderblock-agent' },
} as const;

export const PLACE_HELP = `  --account ID            the cluster's account (default: the hub's own)
  --role ARN              role of its agents (default: cinderblock-agent-CLUSTER in that account)
  --mode MODE             how they get that role: pod-identity (default), pod-identity-target-role, irsa, roles-anywhere
  --eks-cluster NAME      its name in EKS, for pod-identity
  --oidc-provider ARN     of the cluster, for irsa
  --authority-certificate FILE   PEM, for roles-anywhere
  --trust-anchor ARN      where the hub's account itself trusts certificates, instead of a role: its trust anchor
  --common-name NAME      common name in the certificates of agents
  --namespace NAME        default cinderblock
  --service-account NAME  default cinderblock-agent`;

type PlaceValues = {
  readonly [K in keyof typeof placeOptions]?: string;
} & { readonly mode: string; readonly namespace: string; readonly 'service-account': string };

const MODES = ['pod-identity', 'pod-identity-target-role', 'irsa', 'roles-anywhere'] as const;

/** Where a cluster runs. */
export interface Place {
  readonly mode: (typeof MODES)[number];
  readonly account: string | undefined;
  readonly roleArn: string | undefined;
  readonly trustAnchor: { readonly arn: string; readonly commonName: string } | undefined;
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Values of the Spoke stack for this mode, by name. */
  readonly spoke: Readonly<Record<string, string>>;
}

/** @throws UsageError naming the option */
export function readPlace(values: PlaceValues): Place {
  const mode = oneOf('--mode', values.mode, MODES);
  const { account, role, namespace } = values;
  if (account !== undefined && !/^\d{12}$/.test(account))
    throw new UsageError(`--account is "${account}", it has 12 digits`);
  if (role !== undefined && !/^arn:aws[\w-]*:iam::\d{12}:role\/.+/.test(role)) {
    throw new UsageError(
      `--role is "${role}", it must be like arn:aws:iam::222222222222:role/cinderblock-agent-prod`,
    );
  }
  const { 'trust-anchor': anchor, 'common-name': commonName } = values;
  if (anchor !== undefined && commonName === undefined)
    throw new UsageError('--trust-anchor needs --common-name');
  return {
    mode,
    account,
    roleArn: role,
    trustAnchor: anchor === undefined ? undefined : { arn: anchor, commonName: commonName! },
    namespace,
    serviceAccount: values['service-account'],
    spoke: spokeValues(mode, values),
  };
}

function spokeValues(mode: Place['mode'], values: PlaceValues): Record<string, string> {
  const account = { namespace: values.namespace, serviceAccount: values['service-account'] };
  switch (mode) {
    case 'pod-identity':
    case 'pod-identity-target-role':
      return { clusterName: values['eks-cluster'] ?? 'NAME_IN_EKS', ...account };
    case 'irsa':
      return { oidcProviderArn: values['oidc-provider'] ?? 'ARN_OF_THE_OIDC_PROVIDER', ...account };
    case 'roles-anywhere':
      return {
        authorityCertificate: values['authority-certificate'] ?? 'CERTIFICATE.pem',
        certificateCommonName: values['common-name'] ?? 'COMMON_NAME',
      };
  }
}

/** Whom the hub's role trusts. */
export function trustOf(place: Place, cluster: string, { roleArn, account }: ClusterRole): ClusterTrust {
  const { trustAnchor } = place;
  if (trustAnchor) {
    const { arn, commonName } = trustAnchor;
    return { kind: 'roles-anywhere', trustAnchorArn: arn, certificateCommonName: commonName };
  }
  const partition = roleArn.split(':')[1];
  const named = `arn:${partition}:iam::${place.account ?? account}:role/cinderblock-agent-${cluster}`;
  return { kind: 'role', arn: place.roleArn ?? named };
}

/** Whether agents assume the hub's role themselves, showing the external id. */
function assumesItself({ mode, trustAnchor }: Place): boolean {
  return mode !== 'pod-identity-target-role' && trustAnchor === undefined;
}

/** Values of the Helm chart for a cluster in this place. */
export function placeHelmValues(place: Place, cluster: string, role: ClusterRole): string {
  const { CINDERBLOCK_ROLE_ARN, CINDERBLOCK_EXTERNAL_ID, ...rest } = agentSettings({ cluster, role }, '');
  const assumed = assumesItself(place) ? { CINDERBLOCK_ROLE_ARN, CINDERBLOCK_EXTERNAL_ID } : {};
  const trust = trustOf(place, cluster, role);
  const annotated = place.mode === 'irsa' && trust.kind === 'role' ? { roleArn: trust.arn } : {};
  return helmValues({ ...rest, ...assumed } as Record<string, string>, {
    name: place.serviceAccount,
    ...annotated,
  });
}

/** Brings the hub's side of a cluster's access up to date. */
export function hubDeployCommand(stackPrefix: string): string {
  return `npx cdk deploy ${stackPrefix}-ClusterAccess`;
}

/** Deploys the cluster's side: with the CDK, or as a plain template. Empty where the hub trusts certificates itself. */
export function spokeDeployCommands(place: Place, cluster: string, { roleArn }: ClusterRole): string[][] {
  if (place.trustAnchor) return [];
  const values = { cluster, hubRoleArn: roleArn, ...place.spoke };
  const context = Object.entries({ mode: place.mode, ...values }).map(
    ([name, value]) => `-c ${name}=${shellText(value)}`,
  );
  const parameters = Object.entries(values).map(([name, value]) => {
    const text = name === 'authorityCertificate' ? `"$(cat ${shellText(value)})"` : shellText(value);
    return `${name.charAt(0).toUpperCase()}${name.slice(1)}=${text}`;
  });
  return [
    [`npx cdk deploy --app 'npx node bin/spoke.ts' ${context.join(' ')}`],
    [
      'npx node bin/spoke.ts --template dist/spoke',
      `aws cloudformation deploy --stack-name cinderblock-spoke-${cluster.replace(/[^A-Za-z0-9-]/g, '-')} ` +
        `--template-file dist/spoke/${place.mode}.template.json --capabilities CAPABILITY_NAMED_IAM ` +
        `--parameter-overrides ${parameters.join(' ')}`,
    ],
  ];
}
