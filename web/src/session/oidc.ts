import {
  type AuthorizationServer,
  allowInsecureRequests,
  authorizationCodeGrantRequest,
  type Client,
  calculatePKCECodeChallenge,
  clockTolerance,
  discoveryRequest,
  generateRandomCodeVerifier,
  generateRandomNonce,
  generateRandomState,
  getValidatedIdTokenClaims,
  type IDToken,
  None,
  processAuthorizationCodeResponse,
  processDiscoveryResponse,
  processRefreshTokenResponse,
  ResponseBodyError,
  refreshTokenGrantRequest,
  revocationRequest,
  type TokenEndpointResponse,
  validateAuthResponse,
} from 'oauth4webapi';
import { baseUrl } from '../state/navigation.ts';
import type { SignInConfig } from './page-config.ts';
import type { PendingSignIn } from './remembered.ts';

// OpenID Connect, authorization code with PKCE. Loaded only where the page's config names a provider.

/** What a sign-in or a renewal gives. */
export interface Grant {
  /** For the API. */
  bearer: string;
  /** Ms since epoch on this machine's clock. */
  expiresAt: number;
  refreshToken: string | undefined;
  idToken: string | undefined;
  /** Who it is, as the provider says; undefined where a renewal does not say. */
  person: string | undefined;
}

/** Clocks of people's machines are off by minutes; the API checks tokens against a better one. */
const CLOCK_TOLERANCE_S = 300;

let discovered: Promise<AuthorizationServer> | undefined;

function discover(config: SignInConfig): Promise<AuthorizationServer> {
  discovered ??= discoveryRequest(new URL(config.issuer), transport(config)).then((response) =>
    processDiscoveryResponse(new URL(config.issuer), response),
  );
  discovered.catch(() => {
    discovered = undefined;
  });
  return discovered;
}

/** Plain HTTP never leaves this machine. */
function transport({ issuer }: SignInConfig) {
  const isLoopback = ['localhost', '127.0.0.1', '[::1]'].includes(new URL(issuer).hostname);
  return { [allowInsecureRequests]: isLoopback };
}

function clientOf({ clientId }: SignInConfig): Client {
  return { client_id: clientId, [clockTolerance]: CLOCK_TOLERANCE_S };
}

/** Where to send a person, and what must be known when they come back. */
export async function prepareSignIn(
  config: SignInConfig,
  returnTo: string,
): Promise<{ url: URL; pending: PendingSignIn }> {
  const server = await discover(config);
  const verifier = generateRandomCodeVerifier();
  const pending = { state: generateRandomState(), nonce: generateRandomNonce(), verifier, returnTo };
  const url = new URL(server.authorization_endpoint!);
  const params = {
    client_id: config.clientId,
    redirect_uri: baseUrl.href,
    response_type: 'code',
    scope: config.scopes.join(' '),
    state: pending.state,
    nonce: pending.nonce,
    code_challenge: await calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  };
  for (const [name, value] of Object.entries(params)) url.searchParams.set(name, value);
  return { url, pending };
}

/** Turns the provider's answer in the page's address into tokens. */
export async function finishSignIn(
  config: SignInConfig,
  answer: URLSearchParams,
  pending: PendingSignIn,
): Promise<Grant> {
  const server = await discover(config);
  const client = clientOf(config);
  const params = validateAuthResponse(server, client, answer, pending.state);
  const response = await authorizationCodeGrantRequest(
    server,
    client,
    None(),
    params,
    baseUrl.href,
    pending.verifier,
    transport(config),
  );
  const expected = { expectedNonce: pending.nonce, requireIdToken: true };
  return grantOf(config, await processAuthorizationCodeResponse(server, client, response, expected));
}

export async function renew(config: SignInConfig, refreshToken: string): Promise<Grant> {
  const server = await discover(config);
  const client = clientOf(config);
  const response = await refreshTokenGrantRequest(server, client, None(), refreshToken, transport(config));
  const grant = grantOf(config, await processRefreshTokenResponse(server, client, response));
  return { ...grant, refreshToken: grant.refreshToken ?? refreshToken };
}

/** Whether the provider itself said no, so that asking again is of no use. */
export function isRefusal(error: unknown): boolean {
  return error instanceof ResponseBodyError;
}

function grantOf({ bearer }: SignInConfig, answer: TokenEndpointResponse): Grant {
  const claims = getValidatedIdTokenClaims(answer);
  const token = bearer === 'id' ? answer.id_token : answer.access_token;
  if (token === undefined) throw new Error('The provider renewed the session without an ID token.');
  // By how long, not until when: the clock here need not agree with the provider's.
  const seconds = bearer === 'id' && claims ? claims.exp - claims.iat : (answer.expires_in ?? 3600);
  return {
    bearer: token,
    expiresAt: Date.now() + seconds * 1000,
    refreshToken: answer.refresh_token,
    idToken: answer.id_token,
    person: claims && personOf(claims),
  };
}

function personOf(claims: IDToken): string {
  const known = [claims.name, claims.email, claims.preferred_username, claims['cognito:username']];
  return known.find((text): text is string => typeof text === 'string' && text !== '') ?? claims.sub;
}

/** Takes the refresh token back, and answers where the provider ends its own session, if it has such a place. */
export async function endSession(
  config: SignInConfig,
  { refreshToken, idToken }: { refreshToken?: string; idToken?: string },
): Promise<URL | undefined> {
  const server = await discover(config);
  if (refreshToken !== undefined && server.revocation_endpoint !== undefined) {
    await revocationRequest(server, clientOf(config), None(), refreshToken, transport(config)).catch(() => {
      // The session ends here all the same; the token ends by itself.
    });
  }
  if (server.end_session_endpoint === undefined) return undefined;
  const url = new URL(server.end_session_endpoint);
  url.searchParams.set('client_id', config.clientId);
  url.searchParams.set('post_logout_redirect_uri', baseUrl.href);
  // Cognito's name for it.
  url.searchParams.set('logout_uri', baseUrl.href);
  if (idToken !== undefined) url.searchParams.set('id_token_hint', idToken);
  return url;
}

/** What went wrong, in the provider's words where it has any. */
export function signInError(error: unknown): string {
  const { error: code, error_description: words } = (error ?? {}) as Record<string, unknown>;
  if (typeof words === 'string' && words !== '') return words;
  if (typeof code === 'string') return `The sign-in service says “${code}”.`;
  if (error instanceof TypeError && !('code' in error)) return 'The sign-in service does not answer.';
  return error instanceof Error ? error.message : String(error);
}
