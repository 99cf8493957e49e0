/** A statement as it stands in a template. */
export interface Statement {
  readonly Effect: 'Allow' | 'Deny';
  readonly Principal?: Readonly<Record<string, unknown>>;
  readonly Action: readonly string[];
  readonly Resource?: readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

export function policyOf(...statements: Statement[]) {
  return { Version: '2012-10-17', Statement: statements };
}

export function allowing(actions: readonly string[], resources: readonly string[]): Statement {
  return { Effect: 'Allow', Action: actions, Resource: resources };
}

/**
 * To become a role from another role's session. EKS tags the sessions of its pods, and Roles Anywhere names the
 * certificate as source identity: both are handed on from role to role, and each role has to allow it.
 */
export const CHAINING_ACTIONS = ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'];

/** Who holds a certificate that one trust anchor vouches for, with one common name. */
export function certificatesOf(trust: { trustAnchorArn: string; certificateCommonName: string }): Statement {
  return {
    Effect: 'Allow',
    Principal: { Service: 'rolesanywhere.amazonaws.com' },
    Action: CHAINING_ACTIONS,
    Condition: {
      ArnEquals: { 'aws:SourceArn': trust.trustAnchorArn },
      StringEquals: { 'aws:PrincipalTag/x509Subject/CN': trust.certificateCommonName },
    },
  };
}
