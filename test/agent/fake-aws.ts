import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** What was asked of the stand-in: a call of STS by its parameters, or the container endpoint by its path. */
export interface AskedOfAws {
  readonly path: string;
  readonly parameters: Record<string, string>;
  readonly authorization: string;
}

export interface FakeAws {
  readonly url: string;
  readonly asked: AskedOfAws[];
  /** A file with this content, gone when the test ends. */
  file(content: string): string;
  /** Makes calls of STS fail with this code and message. */
  deny(code: string, message: string): void;
}

const HIDDEN = /^(AWS_|HOME$|CINDERBLOCK_)/;

/**
 * STS (AssumeRole, AssumeRoleWithWebIdentity) and the container credentials endpoint on loopback, as far as an SDK asks
 * them. The environment of this process points there, and to nothing else of AWS, until the test ends.
 */
export async function fakeAws(t: TestContext, env: Record<string, string> = {}): Promise<FakeAws> {
  const asked: AskedOfAws[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'cinderblock-fake-aws-'));
  let denial: { code: string; message: string } | undefined;
  const server = createServer(async (request, response) => {
    const call = await read(request);
    asked.push(call);
    if (call.path.startsWith('/container')) return answerContainer(response, asked.length);
    if (denial) return answerDenial(response, denial);
    answerSts(response, call.parameters, asked.length);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const before = { ...process.env };
  for (const name of Object.keys(process.env)) if (HIDDEN.test(name)) delete process.env[name];
  Object.assign(process.env, {
    HOME: folder,
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_ENDPOINT_URL_STS: url,
    ...env,
  });
  t.after(() => {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });
  return {
    url,
    asked,
    file(content) {
      const path = join(folder, `file-${Math.random().toString(36).slice(2)}`);
      writeFileSync(path, content);
      return path;
    },
    deny: (code, message) => {
      denial = { code, message };
    },
  };
}

async function read(request: IncomingMessage): Promise<AskedOfAws> {
  let body = '';
  for await (const part of request) body += part;
  const parameters = Object.fromEntries(new URLSearchParams(body));
  return { path: request.url!, parameters, authorization: request.headers.authorization ?? '' };
}

function answerContainer(response: ServerResponse, number: number): void {
  const Expiration = new Date(Date.now() + 3_600_000).toISOString();
  const keys = { AccessKeyId: `ASIAPOD${number}`, SecretAccessKey: 'secret', Token: 'pod-token', Expiration };
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(keys));
}

function answerSts(response: ServerResponse, { Action }: Record<string, string>, number: number): void {
  const expiration = new Date(Date.now() + 3_600_000).toISOString();
  const keys =
    `<AccessKeyId>ASIA${Action === 'AssumeRole' ? 'ROLE' : 'WEB'}${number}</AccessKeyId>` +
    `<SecretAccessKey>secret</SecretAccessKey><SessionToken>token-${number}</SessionToken>` +
    `<Expiration>${expiration}</Expiration>`;
  const user =
    '<AssumedRoleUser><Arn>arn:aws:sts::111111111111:assumed-role/r/s</Arn><AssumedRoleId>A:s</AssumedRoleId></AssumedRoleUser>';
  response
    .writeHead(200, { 'content-type': 'text/xml' })
    .end(
      `<${Action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${Action}Result>` +
        `<Credentials>${keys}</Credentials>${user}</${Action}Result></${Action}Response>`,
    );
}

function answerDenial(response: ServerResponse, { code, message }: { code: string; message: string }): void {
  response
    .writeHead(403, { 'content-type': 'text/xml' })
    .end(
      '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>' +
        `<Code>${code}</Code><Message>${message}</Message></Error></ErrorResponse>`,
    );
}
