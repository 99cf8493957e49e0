import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Certificate {
  /** Paths of PEM files. */
  certificate: string;
  key: string;
}

/** Makes a certificate for loopback and for these names, which is its own authority, good for a day. Needs openssl. */
export async function makeCertificate(folder: string, names: readonly string[]): Promise<Certificate> {
  const files = { certificate: join(folder, 'certificate.pem'), key: join(folder, 'key.pem') };
  const alternatives = ['IP:127.0.0.1', ...names.map((name) => `DNS:${name}`)].join(',');
  await run('openssl', [
    ...['req', '-x509', '-nodes', '-days', '1', '-subj', '/CN=stand-in'],
    ...['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
    ...['-addext', 'basicConstraints=critical,CA:FALSE', '-addext', `subjectAltName=${alternatives}`],
    ...['-keyout', files.key, '-out', files.certificate],
  ]);
  return files;
}
