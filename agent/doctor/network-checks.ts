import { lookup } from 'node:dns/promises';
import { connect as connectTcp, isIP } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { Check } from './check.ts';

/** A step of a connection that does not answer within this has failed. */
const STEP_MS = 5_000;
const DAY_MS = 86_400_000;
/** A certificate that ends sooner is worth a word. */
const CERTIFICATE_DAYS = 14;

/**
 * Follows the way to a hub: its name, its port, its certificate. Stops at the first that fails.
 * @param nowMs to judge how long the certificate lasts
 */
export async function* checkNetwork(hubUrl: string, nowMs: number): AsyncGenerator<Check> {
  const url = new URL(hubUrl);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
  const dns = await checkName(host);
  yield dns;
  if (dns.status === 'failed') return;
  const tcp = await checkPort(host, port);
  yield tcp;
  if (tcp.status === 'failed' || url.protocol !== 'https:') return;
  yield await checkCertificate(host, port, nowMs);
}

async function checkName(host: string): Promise<Check> {
  if (isIP(host)) return { name: 'DNS', status: 'ok', detail: `${host} is an address` };
  try {
    const found = await within(lookup(host, { all: true }));
    const addresses = found.map(({ address }) => address).join(', ');
    return { name: 'DNS', status: 'ok', detail: `${host} is ${addresses}` };
  } catch (error) {
    return {
      ...{ name: 'DNS', status: 'failed', detail: `${host}: ${codeOf(error)}` },
      mayPass: codeOf(error) === 'EAI_AGAIN',
      remedy:
        codeOf(error) === 'ENOTFOUND'
          ? 'no such name: compare CINDERBLOCK_HUB_URL with what "cluster add" printed'
          : 'the name server does not answer: look at /etc/resolv.conf and the network policy of this pod',
    };
  }
}

async function checkPort(host: string, port: number): Promise<Check> {
  const startedAt = performance.now();
  const socket = connectTcp({ host, port });
  try {
    await within(opened(socket, 'connect'));
    const ms = Math.round(performance.now() - startedAt);
    return { name: 'TCP', status: 'ok', detail: `port ${port} answers in ${ms} ms` };
  } catch (error) {
    const remedy =
      codeOf(error) === 'ECONNREFUSED'
        ? 'nobody listens there: compare host and port, and see whether the hub runs'
        : 'a firewall, security group, route or network policy stops it: outgoing connections to this port must be let through';
    return {
      ...{ name: 'TCP', status: 'failed', detail: `port ${port}: ${codeOf(error)}`, remedy },
      mayPass: true,
    };
  } finally {
    socket.destroy();
  }
}

async function checkCertificate(host: string, port: number, nowMs: number): Promise<Check> {
  const socket = connectTls({ host, port, servername: isIP(host) ? '' : host });
  try {
    await within(opened(socket, 'secureConnect'));
    return describeCertificate(socket, nowMs);
  } catch (error) {
    const code = codeOf(error);
    const remedy =
      TLS_REMEDIES[code] ?? 'that port does not speak TLS as it should: compare CINDERBLOCK_HUB_URL';
    return { name: 'TLS', status: 'failed', detail: code, remedy };
  } finally {
    socket.destroy();
  }
}

function describeCertificate(socket: TLSSocket, nowMs: number): Check {
  const { valid_to, issuer } = socket.getPeerCertificate();
  const issued = issuer?.O ?? issuer?.CN ?? 'somebody unnamed';
  const days = Math.floor((Date.parse(valid_to) - nowMs) / DAY_MS);
  const detail = `${socket.getProtocol()}, certificate of ${issued}, good for ${days} days`;
  if (days >= CERTIFICATE_DAYS) return { name: 'TLS', status: 'ok', detail };
  return { name: 'TLS', status: 'warning', detail, remedy: 'whoever runs the hub must renew it' };
}

const INTERCEPTED =
  'a proxy opens TLS with a certificate of its own: give its CA with NODE_EXTRA_CA_CERTS, or let this host pass';
const TLS_REMEDIES: Readonly<Record<string, string>> = {
  SELF_SIGNED_CERT_IN_CHAIN: INTERCEPTED,
  DEPTH_ZERO_SELF_SIGNED_CERT: INTERCEPTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: INTERCEPTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: INTERCEPTED,
  CERT_HAS_EXPIRED: 'the certificate ended, or the clock of this node is far ahead',
  CERT_NOT_YET_VALID: 'the clock of this node is far behind',
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate is for another name: compare CINDERBLOCK_HUB_URL',
  ECONNRESET: 'the connection is cut while TLS begins: a firewall looks for host names, let this one pass',
};

function opened(socket: NodeJS.EventEmitter, event: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once(event, () => resolve());
    socket.once('error', reject);
  });
}

async function within<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${STEP_MS / 1000} s`)), STEP_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function codeOf(error: unknown): string {
  const { code, message, errors } = error as NodeJS.ErrnoException & { errors?: NodeJS.ErrnoException[] };
  return code ?? errors?.[0]?.code ?? message;
}
