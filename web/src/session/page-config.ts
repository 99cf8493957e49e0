import { baseUrl } from '../state/navigation.ts';

/** What the host of the page tells it: `config.json` beside index.html. The built one is `{}`: nobody signs in. */
export interface PageConfig {
  signIn?: SignInConfig;
}

export interface SignInConfig {
  /** Issuer of the OpenID provider, as in the `iss` of its tokens; `<issuer>/.well-known/openid-configuration` is read. */
  issuer: string;
  /** Public client: authorization code with PKCE, no secret. Its redirect URI is the page's folder. */
  clientId: string;
  scopes: string[];
  /** Which token the API is given: the ID token, which is for `clientId` with any provider, or the access token. */
  bearer: 'id' | 'access';
}

const SCOPES = ['openid', 'email', 'profile'];

/** A page without a config.json is a page without sign-in. @throws Error in words when it cannot be read */
export async function readPageConfig(): Promise<PageConfig> {
  const response = await fetch(new URL('config.json', baseUrl));
  if (response.status === 404) return {};
  if (!response.ok) throw new Error(`config.json beside the page answers ${response.status}.`);
  return parsePageConfig(await response.text());
}

/** @throws Error naming the field that is wrong */
export function parsePageConfig(json: string): PageConfig {
  const config = objectOf(json);
  if (config?.signIn === undefined) return {};
  const { issuer, clientId, scopes = SCOPES, bearer = 'id' } = config.signIn as Record<string, unknown>;
  if (typeof issuer !== 'string' || !URL.canParse(issuer)) throw wrong('signIn.issuer', 'an address');
  if (typeof clientId !== 'string' || clientId === '') throw wrong('signIn.clientId', 'a client id');
  if (!isTexts(scopes)) throw wrong('signIn.scopes', 'a list of scopes');
  if (bearer !== 'id' && bearer !== 'access') throw wrong('signIn.bearer', '"id" or "access"');
  const withOpenId = scopes.includes('openid') ? scopes : ['openid', ...scopes];
  return { signIn: { issuer, clientId, scopes: withOpenId, bearer } };
}

function objectOf(json: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Said below: an error page in the file's place is the usual reason.
  }
  throw new Error('config.json beside the page is not JSON.');
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string' && entry !== '');
}

function wrong(field: string, expected: string): Error {
  return new Error(`config.json beside the page: ${field} must be ${expected}.`);
}
