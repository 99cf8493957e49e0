import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * An OpenID provider on loopback: authorization code with PKCE, rotating refresh tokens, signed ID tokens, revocation and
 * logout. It asks no password; `answer` decides what it says to whoever comes. It refuses what a provider must refuse.
 */
export interface FakeOidc {
  issuer: string;
  /** What the next authorization is answered with. */
  answer: 'code' | 'denied' | 'wrong-nonce';
  /** How long tokens last. */
  seconds: number;
  /** Whether refresh tokens are still taken. */
  renews: boolean;
  /** What was asked of it: "authorize", "code", "refresh_token", "revoke", "logout". */
  asked: string[];
  /** Newest ID token that it gave. */
  idToken: string;
  close(): Promise<void>;
}

const CLIENT = 'cinderblock-page';

interface Begun {
  nonce: string;
  challenge: string;
  redirect: string;
}

export async function startFakeOidc(): Promise<FakeOidc> {
  const codes = new Map<string, Begun>();
  const refreshTokens = new Set<string>();
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const server = createServer((request, response) => {
    answer(request, response).catch((error) => send(response, 500, { error: String(error) }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}/pool`;
  const fake: FakeOidc = {
    issuer,
    answer: 'code',
    seconds: 3600,
    renews: true,
    asked: [],
    idToken: '',
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return fake;

  async function answer(request: IncomingMessage, response: ServerResponse) {
    const url = new URL(request.url!, issuer);
    response.setHeader('Access-Control-Allow-Origin', '*');
    switch (url.pathname) {
      case '/pool/.well-known/openid-configuration':
        return send(response, 200, {
          issuer,
          authorization_endpoint: `${issuer}/authorize`,
          token_endpoint: `${issuer}/token`,
          revocation_endpoint: `${issuer}/revoke`,
          end_session_endpoint: `${issuer}/logout`,
          jwks_uri: `${issuer}/keys`,
          response_types_supported: ['code'],
          code_challenge_methods_supported: ['S256'],
          id_token_signing_alg_values_supported: ['RS256'],
        });
      case '/pool/authorize':
        return authorize(url.searchParams, response);
      case '/pool/token':
        return token(new URLSearchParams(await textOf(request)), response);
      case '/pool/revoke':
        fake.asked.push('revoke');
        refreshTokens.delete(new URLSearchParams(await textOf(request)).get('token')!);
        return send(response, 200, {});
      case '/pool/logout':
        fake.asked.push('logout');
        return redirect(response, url.searchParams.get('post_logout_redirect_uri')!);
      default:
        return send(response, 404, { error: 'not_found' });
    }
  }

  function authorize(params: URLSearchParams, response: ServerResponse) {
    fake.asked.push('authorize');
    const isRight =
      params.get('client_id') === CLIENT &&
      params.get('response_type') === 'code' &&
      params.get('code_challenge_method') === 'S256' &&
      params.get('scope')!.split(' ').includes('openid');
    if (!isRight) return send(response, 400, { error: 'invalid_request' });
    const back = new URL(params.get('redirect_uri')!);
    back.searchParams.set('state', params.get('state')!);
    if (fake.answer === 'denied') {
      back.searchParams.set('error', 'access_denied');
      back.searchParams.set('error_description', 'Ada is not assigned to this application.');
      return redirect(response, back.href);
    }
    const code = randomBytes(16).toString('hex');
    const nonce = fake.answer === 'wrong-nonce' ? 'another' : params.get('nonce')!;
    codes.set(code, {
      nonce,
      challenge: params.get('code_challenge')!,
      redirect: params.get('redirect_uri')!,
    });
    back.searchParams.set('code', code);
    return redirect(response, back.href);
  }

  function token(params: URLSearchParams, response: ServerResponse) {
    const kind = params.get('grant_type')!;
    fake.asked.push(kind);
    const refused = () =>
      send(response, 400, { error: 'invalid_grant', error_description: 'No such grant.' });
    if (kind === 'refresh_token') {
      if (!fake.renews || !refreshTokens.delete(params.get('refresh_token')!)) return refused();
      return send(response, 200, tokens(undefined));
    }
    const begun = codes.get(params.get('code')!);
    codes.delete(params.get('code')!);
    const challenge = createHash('sha256').update(params.get('code_verifier')!).digest('base64url');
    if (!begun || begun.challenge !== challenge || begun.redirect !== params.get('redirect_uri'))
      return refused();
    return send(response, 200, tokens(begun.nonce));
  }

  function tokens(nonce: string | undefined) {
    const refreshToken = randomBytes(16).toString('hex');
    refreshTokens.add(refreshToken);
    const iat = Math.floor(Date.now() / 1000);
    const claims = { iss: issuer, aud: CLIENT, sub: 'ada-1', name: 'Ada Lovelace', nonce, iat };
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const jti = randomBytes(4).toString('hex');
    const head = `${part({ alg: 'RS256', typ: 'JWT' })}.${part({ ...claims, jti, exp: iat + fake.seconds })}`;
    fake.idToken = `${head}.${sign('sha256', Buffer.from(head), privateKey).toString('base64url')}`;
    return {
      token_type: 'Bearer',
      access_token: randomBytes(16).toString('hex'),
      expires_in: fake.seconds,
      id_token: fake.idToken,
      refresh_token: refreshToken,
    };
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of request) text += piece;
  return text;
}

function send(response: ServerResponse, status: number, body: object) {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(body));
}

function redirect(response: ServerResponse, to: string) {
  response.writeHead(302, { Location: to });
  response.end();
}

export const FAKE_CLIENT_ID = CLIENT;
