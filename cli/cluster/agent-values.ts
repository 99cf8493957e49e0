import type { GivenAccess } from '../admin-client.ts';

/** How an agent reaches the hub and what it signs with, as its settings. */
export function agentSettings(
  { cluster, keyPair, role }: GivenAccess,
  hubUrl: string,
): Record<string, string> {
  const shared = { CINDERBLOCK_HUB_URL: role?.ingestUrl ?? hubUrl, CINDERBLOCK_CLUSTER: cluster };
  if (keyPair) {
    return {
      ...shared,
      CINDERBLOCK_ACCESS_KEY_ID: keyPair.accessKeyId,
      CINDERBLOCK_SECRET_ACCESS_KEY: keyPair.secretAccessKey,
    };
  }
  if (role === undefined) return shared;
  return {
    ...shared,
    CINDERBLOCK_ROLE_ARN: role.roleArn,
    CINDERBLOCK_EXTERNAL_ID: role.externalIds[0] ?? '',
    CINDERBLOCK_FLUSH_SECONDS: '60',
  };
}

/** The same as values of the Helm chart. */
export function helmValues(
  settings: Readonly<Record<string, string>>,
  serviceAccount?: { name: string; roleArn?: string },
): string {
  const lines = Object.entries(settings).map(([name, value]) => `${valueName(name)}: ${yamlText(value)}`);
  if (serviceAccount) {
    lines.push('serviceAccount:', `  name: ${yamlText(serviceAccount.name)}`);
    if (serviceAccount.roleArn !== undefined) {
      lines.push('  annotations:', `    eks.amazonaws.com/role-arn: ${yamlText(serviceAccount.roleArn)}`);
    }
  }
  return lines.map((line) => `${line}\n`).join('');
}

/** As a shell takes them, in front of a command. */
export function shellSettings(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${shellText(value)}`)
    .join(' ');
}

/** CINDERBLOCK_HUB_URL is hubUrl. */
function valueName(setting: string): string {
  const words = setting
    .replace(/^CINDERBLOCK_/, '')
    .toLowerCase()
    .split('_');
  return words.map((word, i) => (i === 0 ? word : word.charAt(0).toUpperCase() + word.slice(1))).join('');
}

/** Whatever is not plainly a word is quoted: JSON's texts are YAML's too. */
function yamlText(value: string): string {
  return /^[A-Za-z][\w./:@-]*$/.test(value) && !/:$/.test(value) ? value : JSON.stringify(value);
}

export function shellText(value: string): string {
  return /^[\w./:@=,+-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`;
}
