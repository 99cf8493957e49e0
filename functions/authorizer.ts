import middy from '@middy/core';
import { identify } from '../api/access/identify.ts';
import { RejectedError } from '../core/errors.ts';
import { openAwsRegistry } from '../storage/aws/open-aws-registry.ts';
import type { IdentityRegistry } from '../storage/registry.ts';
import type { AuthorizerEnvironment } from './environment.ts';
import { once, withTelemetry } from './invocation.ts';
import { type Person, personTokens } from './person-tokens.ts';
import { awsPlace, readEnvironment, type Variables } from './read-environment.ts';
import { createTelemetry, type FunctionTelemetry } from './telemetry.ts';

/** What API Gateway asks (payload format 2.0), as far as we read it. */
export interface AuthorizerEvent {
  headers?: Record<string, string | undefined>;
}

/** API Gateway's simple response; the context goes to the function behind the route. */
export interface AuthorizerResult {
  isAuthorized: boolean;
  /** Scopes have spaces between them. */
  context?: { name: string; scopes: string };
}

/** What the authorizer works with. */
export interface Gate {
  readonly registry: IdentityRegistry;
  readonly clock: () => number;
  readonly telemetry: FunctionTelemetry;
  readonly verifyPerson: (token: string) => Promise<Person | undefined>;
}

const VARIABLES: readonly (keyof AuthorizerEnvironment)[] = [
  'CINDERBLOCK_TABLE',
  'CINDERBLOCK_STAGE',
  'CINDERBLOCK_OIDC_ISSUER',
  'CINDERBLOCK_OIDC_CLIENT_ID',
  'CINDERBLOCK_OIDC_GROUPS_CLAIM',
  'CINDERBLOCK_ADMIN_GROUP',
];

/** Three parts of base64url, the first a JSON object: a token of the issuer. Our own tokens have no dots. */
const JSON_WEB_TOKEN = /^Bearer +(eyJ[\w-]*\.[\w-]+\.[\w-]+)$/i;

/** @throws Error that names the variables that are missing */
export function openGate(variables: Variables = process.env): Gate {
  const environment: AuthorizerEnvironment = readEnvironment(variables, VARIABLES);
  const clock = Date.now;
  return {
    registry: openAwsRegistry({ ...awsPlace(variables), table: environment.CINDERBLOCK_TABLE, clock }),
    clock,
    telemetry: createTelemetry({ service: 'authorizer', stage: environment.CINDERBLOCK_STAGE }),
    verifyPerson: personTokens({
      issuer: environment.CINDERBLOCK_OIDC_ISSUER,
      clientId: environment.CINDERBLOCK_OIDC_CLIENT_ID,
      groupsClaim: environment.CINDERBLOCK_OIDC_GROUPS_CLAIM,
      adminGroup: environment.CINDERBLOCK_ADMIN_GROUP,
    }),
  };
}

/**
 * Says who calls the query API: a tool by an API token (Bearer, or Basic with the token as password), a person by a
 * token of the issuer. Nobody else is let in; what the caller may do, the function behind the route decides.
 */
export function authorizerHandler(open: () => Gate) {
  return middy<AuthorizerEvent, AuthorizerResult>()
    .use(withTelemetry(open))
    .handler(async ({ headers }) => {
      const caller = await callerOf(headers?.authorization ?? '', open());
      open().telemetry.count('authorizer_requests_total', 1);
      if (caller === undefined) open().telemetry.count('authorizer_refusals_total', 1);
      if (caller === undefined) return { isAuthorized: false };
      return { isAuthorized: true, context: { name: caller.name, scopes: caller.scopes.join(' ') } };
    });
}

async function callerOf(authorization: string, gate: Gate): Promise<Person | undefined> {
  const [, token] = JSON_WEB_TOKEN.exec(authorization) ?? [];
  return token === undefined ? toolOf(authorization, gate) : gate.verifyPerson(token);
}

async function toolOf(authorization: string, { registry, clock }: Gate): Promise<Person | undefined> {
  // Key pairs are for hubs that check signatures themselves.
  if (!/^(Bearer|Basic) +[!-~]+$/i.test(authorization)) return undefined;
  try {
    const request = new Request('https://hub/', { headers: { authorization } });
    const identity = await identify(request, { registry, clock, open: false });
    return identity.kind === 'token' ? { name: identity.name, scopes: [...identity.scopes] } : undefined;
  } catch (error) {
    if (error instanceof RejectedError) return undefined;
    throw error;
  }
}

export const handler = authorizerHandler(once(openGate));
