import { Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { type SpokeAccess, SpokeRole } from '../spoke-access.ts';
import type { SpokeMode, SpokeValueName } from '../spoke-values.ts';

export interface SpokeStackProps extends StackProps {
  readonly mode: SpokeMode;
  /** Gives each value that the mode asks for: from a deployment's context, or a parameter of a template. */
  readonly readValue: (name: SpokeValueName, stack: Stack) => string;
}

/** What a cluster's own account holds: one role. Has no assets, so that it deploys where no CDK ever was. */
export class SpokeStack extends Stack {
  constructor(scope: Construct, id: string, { mode, readValue, ...props }: SpokeStackProps) {
    super(scope, id, { ...props, description: 'Lets Cinderblock agents of one cluster send to their hub' });
    const value = (name: SpokeValueName) => readValue(name, this);
    new SpokeRole(this, 'Agent', {
      cluster: value('cluster'),
      hubRoleArn: value('hubRoleArn'),
      access: accessOf(mode, value),
    });
  }
}

function accessOf(mode: SpokeMode, value: (name: SpokeValueName) => string): SpokeAccess {
  if (mode === 'roles-anywhere') {
    const certificateCommonName = value('certificateCommonName');
    return { mode, authorityCertificate: value('authorityCertificate'), certificateCommonName };
  }
  const account = { namespace: value('namespace'), serviceAccount: value('serviceAccount') };
  if (mode === 'irsa') return { mode, oidcProviderArn: value('oidcProviderArn'), ...account };
  return { mode, clusterName: value('clusterName'), ...account };
}
