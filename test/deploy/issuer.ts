// An OpenID Connect issuer on loopback, as far as a hub asks it: its configuration, its keys, and tokens for people.
import { createSign, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Certificate } from './certificate.ts';

export const CLIENT_ID = 'page-of-the-lane';

export interface Issuer {
  /** As in the claim `iss`. */
  url: string;
  /** A signed token. @param claims replace those of a person who may sign in, for an hour */
  tokenFor(name: string, groups: readonly string[], claims?: Record<string, unknown>): string;
  stop(): void;
}

export async function startIssuer(files: Certificate): Promise<Issuer> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'k1', use: 'sig', alg: 'RS256' };
  const tlsFiles = { cert: readFileSync(files.certificate), key: readFileSync(files.key) };
  const server = createServer(tlsFiles, (request, response) => {
    const answers: Record<string, unknown> = {
      '/.well-known/openid-configuration': { issuer: url, jwks_uri: `${url}/keys` },
      '/keys': { keys: [jwk] },
    };
    const answer = answers[request.url ?? ''];
    response.writeHead(answer ? 200 : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer ?? {}));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const tokenFor: Issuer['tokenFor'] = (name, groups, claims = {}) => {
    const now = Math.floor(Date.now() / 1000);
    const payload = {
      iss: url,
      aud: CLIENT_ID,
      sub: name,
      email: name,
      groups,
      iat: now,
      exp: now + 3600,
      ...claims,
    };
    const signed = [{ alg: 'RS256', typ: 'JWT', kid: 'k1' }, payload].map(encoded).join('.');
    return `${signed}.${createSign('sha256').update(signed).sign(privateKey, 'base64url')}`;
  };
  return { url, tokenFor, stop: () => server.close() };
}

function encoded(part: unknown): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}
