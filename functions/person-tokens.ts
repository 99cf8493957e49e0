import { JwtVerifier } from 'aws-jwt-verify';
import { SimpleJwksCache } from 'aws-jwt-verify/jwk';
import { RetryableError } from '../core/errors.ts';

export interface PersonTokenOptions {
  /** As in the claim `iss`, without a slash at the end unless the issuer writes one. */
  readonly issuer: string;
  /** `aud` of the tokens, or `client_id` of Cognito's access tokens. */
  readonly clientId: string;
  /** Claim that lists a person's groups. */
  readonly groupsClaim: string;
  /** Its members may administer. */
  readonly adminGroup: string;
}

export interface Person {
  readonly name: string;
  readonly scopes: string[];
}

type Claims = Readonly<Record<string, unknown>>;

/** The issuer answers within this time, or is asked once more, in ms. API Gateway waits 10 s for all of it. */
const FETCH_TIMEOUT_MS = 2000;

/** Claims that may tell a name, the best first. */
const NAMES = ['email', 'preferred_username', 'cognito:username', 'username', 'sub'];

/**
 * Checks the tokens of people who signed in with OpenID Connect: signature by a key of the issuer, its name, audience
 * and times. Keys are fetched once, and again when a token names one that is not among them.
 */
export function personTokens(options: PersonTokenOptions): (token: string) => Promise<Person | undefined> {
  let verifier: ReturnType<typeof openVerifier> | undefined;

  return async (token) => {
    verifier ??= openVerifier(options.issuer).catch((error) => {
      verifier = undefined;
      throw error;
    });
    const { verify } = await verifier;
    try {
      const claims = await verify(token);
      return isForUs(claims, options) ? toPerson(claims, options) : undefined;
    } catch (error) {
      if (error instanceof RetryableError) throw error;
      return undefined;
    }
  };
}

/** Asks the issuer where its keys are, which is not the same with all of them. */
async function openVerifier(issuer: string): Promise<{ verify(token: string): Promise<Claims> }> {
  const discovery = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const jwksUri = keysAddress(Buffer.from(await fetchBytes(discovery)).toString());
  if (jwksUri === undefined)
    throw new RetryableError(`${discovery} does not say where the issuer's keys are`);
  const jwksCache = new SimpleJwksCache({ fetcher: { fetch: (url) => fetchBytes(url) } });
  // Audience: see isForUs, since access tokens of Cognito have none.
  const verifier = JwtVerifier.create({ issuer, audience: null, jwksUri }, { jwksCache });
  return { verify: (token) => verifier.verify(token) };
}

function keysAddress(configuration: string): string | undefined {
  try {
    const { jwks_uri: address } = JSON.parse(configuration);
    return typeof address === 'string' ? address : undefined;
  } catch {
    return undefined;
  }
}

/** A token that the issuer made for another client is none of ours. */
function isForUs({ aud, client_id: clientId }: Claims, options: PersonTokenOptions): boolean {
  if (aud === undefined) return clientId === options.clientId;
  return Array.isArray(aud) ? aud.includes(options.clientId) : aud === options.clientId;
}

function toPerson(claims: Claims, { groupsClaim, adminGroup }: PersonTokenOptions): Person {
  const groups = claims[groupsClaim];
  const isAdmin = Array.isArray(groups) ? groups.includes(adminGroup) : groups === adminGroup;
  const name = NAMES.map((claim) => claims[claim]).find((value) => typeof value === 'string' && value !== '');
  return { name: String(name ?? 'a person'), scopes: isAdmin ? ['query', 'admin'] : ['query'] };
}

/** @throws RetryableError when the issuer does not answer as it should */
async function fetchBytes(url: string, attemptsLeft = 2): Promise<ArrayBuffer> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) });
    if (!response.ok) throw new Error(`HTTP status ${response.status}`);
    return await response.arrayBuffer();
  } catch (cause) {
    if (attemptsLeft > 1) return fetchBytes(url, attemptsLeft - 1);
    throw new RetryableError(`${url}: ${(cause as Error).message}`, { cause });
  }
}
