import { RejectedError } from '../../core/errors.ts';

/** Who calls, as the host verified it. Nothing in a body or a query changes this. */
export type Identity =
  /** An agent of a cluster, by its signature. */
  | {
      kind: 'agent';
      cluster: string;
      /** What the signature says about the body; whoever reads the body compares. Absent where the host did. */
      contentSha256?: string;
    }
  /** A person or a tool, by an API token. */
  | { kind: 'token'; name: string; scopes: readonly string[] }
  /** Anybody, on a hub that runs open; `mayAdminister` where only this machine reaches it. */
  | { kind: 'open'; mayAdminister?: boolean }
  /** Nobody who said who they are. */
  | { kind: 'anonymous' };

/** What a route asks of its caller. `public`: nothing. `agent`: a signature, of the cluster that the path names. */
export type Permission = 'public' | 'agent' | 'ingest' | 'query' | 'admin';

/** Scopes of API tokens: `query`, `ingest`, `admin`, `*` for all, and `cluster:<id>`, the cluster that pushes are filed under. */
export const ALL_SCOPES = '*';
const CLUSTER_SCOPE = 'cluster:';

/** Cluster of pushes whose sender is of no cluster. */
export const LOCAL_CLUSTER = 'local';

/** @throws RejectedError('unauthenticated' or 'forbidden') */
export function requirePermission(identity: Identity, permission: Permission): void {
  if (permission === 'public') return;
  switch (identity.kind) {
    case 'agent':
      if (permission === 'query' || permission === 'admin')
        throw new RejectedError('forbidden', 'agents may send profiles, nothing else');
      return;
    case 'token':
      if (permission === 'agent') break;
      if (identity.scopes.includes(permission) || identity.scopes.includes(ALL_SCOPES)) return;
      throw new RejectedError('forbidden', `token ${identity.name} lacks the scope "${permission}"`);
    case 'open':
      if (permission === 'admin' && !identity.mayAdminister) {
        throw new RejectedError('unauthenticated', `${MISSING.admin}; this hub is open and has no token`);
      }
      if (permission !== 'agent') return;
  }
  throw new RejectedError('unauthenticated', MISSING[permission]);
}

const MISSING = {
  agent: 'this route needs a request signed with AWS Signature Version 4 by a key pair of the cluster',
  ingest: 'this route needs an API token with the scope "ingest" (Basic or Bearer), or a signed request',
  query: 'this route needs an API token with the scope "query" (Basic or Bearer)',
  admin: 'this route needs an API token with the scope "admin" (Basic or Bearer)',
};

/** The cluster that a push belongs to. */
export function clusterOf(identity: Identity): string {
  if (identity.kind === 'agent') return identity.cluster;
  if (identity.kind !== 'token') return LOCAL_CLUSTER;
  const scope = identity.scopes.find((scope) => scope.startsWith(CLUSTER_SCOPE));
  return scope === undefined ? LOCAL_CLUSTER : scope.slice(CLUSTER_SCOPE.length);
}
