import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';

// One file says how a hub is deployed. It is checked whole before anything is made of it, so that a misspelt field is
// told by name and not found out in an account.

/** Days for which CloudWatch can keep logs: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html */
const LOG_RETENTION_DAYS = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731] as const;

/** Most characters of an IAM role's name. */
const ROLE_NAME_MAX = 64;

const word = (max: number) =>
  z
    .string()
    .regex(
      /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/,
      'must be lower-case letters and digits, with single dashes inside',
    )
    .max(max);
const roleArn = z
  .string()
  .regex(
    /^arn:aws[\w-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/,
    'must be the ARN of a role: arn:aws:iam::<account>:role/<name>',
  );
const clusterId = z.string().regex(/^[A-Za-z0-9._-]{1,63}$/, 'must be made of A-Z a-z 0-9 . _ -, at most 63');
const origin = z.url({ protocol: /^https$/, error: 'must be an https:// address' });
/** By these blocks are found, kept and deleted. */
const NEVER_ROLLED_UP = ['service_name', 'cluster'];
const rollUpLabel = z
  .string()
  .regex(/^[^\s,]{1,100}$/, 'must be the name of a label, without spaces and commas')
  .refine((label) => !NEVER_ROLLED_UP.includes(label), {
    error: `cannot be ${NEVER_ROLLED_UP.join(' or ')}: blocks are found, kept and deleted by these`,
  });
const concurrency = z.int().min(0).max(1000).default(0);

/** Most workers of one query: beyond, merging what they answer takes longer than what they take over. */
const QUERY_WORKERS_MAX = 16;

const roleTrust = z.strictObject({ kind: z.literal('role'), arn: roleArn });
const rolesAnywhereTrust = z.strictObject({
  kind: z.literal('roles-anywhere'),
  trustAnchorArn: z
    .string()
    .regex(
      /^arn:aws[\w-]*:rolesanywhere:[a-z0-9-]+:\d{12}:trust-anchor\/[\w-]+$/,
      'must be the ARN of a trust anchor',
    ),
  certificateCommonName: z.string().min(1).max(64),
});

const clusterSchema = z
  .strictObject({
    cluster: clusterId,
    externalIds: z
      .array(z.string().regex(/^[\w+=,.@:/-]{2,1224}$/, 'must be 2 to 1224 of A-Z a-z 0-9 + = , . @ : / -'))
      .max(5)
      .default([]),
    trust: z.discriminatedUnion('kind', [roleTrust, rolesAnywhereTrust]),
  })
  .refine(({ trust, externalIds }) => trust.kind !== 'role' || externalIds.length > 0, {
    path: ['externalIds'],
    error:
      'must hold the id that "cinderblock cluster add" printed: without one, any customer of that account could be confused into lending its role',
  });

const cognito = z.strictObject({ kind: z.literal('cognito') });
const oidc = z.strictObject({
  kind: z.literal('oidc'),
  issuer: origin,
  clientId: z.string().min(1),
  groupsClaim: z.string().min(1).default('groups'),
  connectOrigins: z.array(origin).default([]),
});

const hubConfigSchema = z
  .strictObject({
    $schema: z.string().optional(),
    name: word(20).default('cinderblock'),
    stage: word(12).default('prod'),
    region: z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'must be a region such as eu-central-1'),
    account: z
      .string()
      .regex(/^\d{12}$/, 'must be 12 digits')
      .optional(),
    tenant: z
      .string()
      .regex(/^[A-Za-z0-9._=-]{1,64}$/, 'must be made of A-Z a-z 0-9 . _ = -')
      .default('default'),
    organizationId: z
      .string()
      .regex(/^o-[a-z0-9]{10,32}$/, 'must be the id of an organization: o-…')
      .optional(),
    retainData: z.boolean().default(true),
    signIn: z.discriminatedUnion('kind', [cognito, oidc]).default({ kind: 'cognito' }),
    adminGroup: z
      .string()
      .regex(/^\S{1,128}$/, 'must be the name of a group, without spaces')
      .default('cinderblock-admins'),
    web: z.boolean().default(true),
    alarmEmail: z.email().optional(),
    monthlyBudgetUsd: z.number().positive().optional(),
    reservedConcurrency: z
      .strictObject({
        ingest: concurrency,
        processor: concurrency,
        query: concurrency,
        queryWorker: concurrency,
        admin: concurrency,
        authorizer: concurrency,
        compactionPlanner: concurrency,
        compactionWorker: concurrency,
        housekeeper: concurrency,
      })
      .prefault({}),
    queryWorkers: z.int().min(0).max(QUERY_WORKERS_MAX).default(4),
    queryFanOutBytes: z.int().positive().optional(),
    logRetentionDays: z.literal(LOG_RETENTION_DAYS).default(14),
    rollUpLabels: z.array(rollUpLabel).max(20).default([]),
    clusters: z.array(clusterSchema).default([]),
  })
  .refine(({ monthlyBudgetUsd, alarmEmail }) => monthlyBudgetUsd === undefined || alarmEmail !== undefined, {
    path: ['monthlyBudgetUsd'],
    error: 'needs alarmEmail: AWS tells somebody that the budget is spent',
  })
  .superRefine(checkClusters);

/** How a hub is deployed, checked and with defaults in place. */
export type HubConfig = z.infer<typeof hubConfigSchema>;
export type ClusterConfig = HubConfig['clusters'][number];
export type SignInConfig = HubConfig['signIn'];

/** Two clusters of one name, or a role whose name is too long, would fail only in CloudFormation. */
function checkClusters(config: z.infer<typeof hubConfigSchema>, context: z.core.$RefinementCtx): void {
  const seen = new Set<string>();
  config.clusters.forEach(({ cluster }, index) => {
    const path = ['clusters', index, 'cluster'];
    // Names of roles are compared without regard to case.
    if (seen.has(cluster.toLowerCase()))
      context.addIssue({ code: 'custom', path, message: `is there twice: ${cluster}` });
    seen.add(cluster.toLowerCase());
    const role = clusterRoleName(config, cluster);
    if (role.length > ROLE_NAME_MAX) {
      const message = `makes the role name ${role}, of ${role.length} characters; IAM takes ${ROLE_NAME_MAX}`;
      context.addIssue({ code: 'custom', path, message });
    }
  });
}

/** What the names of cluster roles begin with. */
export function clusterRolePrefix({ name, stage }: Pick<HubConfig, 'name' | 'stage'>): string {
  return `${name}-${stage}-cluster-`;
}

/** Name of the role in the hub's account that a cluster's agents assume. */
export function clusterRoleName(config: Pick<HubConfig, 'name' | 'stage'>, cluster: string): string {
  return `${clusterRolePrefix(config)}${cluster}`;
}

/** Checks a parsed file. @throws Error that names every wrong field, and `source` */
export function parseHubConfig(value: unknown, source: string): HubConfig {
  const result = hubConfigSchema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => `  ${fieldName(path)}: ${message}`);
  throw new Error(`${source} is not a valid configuration:\n${problems.join('\n')}`);
}

/** @throws Error that names the file and what is wrong with it */
export function readHubConfig(file: string): HubConfig {
  if (!existsSync(file)) throw new Error(`there is no configuration file ${file}`);
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(`${file} is not JSON: ${(error as Error).message}`);
  }
  return parseHubConfig(value, file);
}

/** `clusters[0].trust.arn` */
function fieldName(path: readonly PropertyKey[]): string {
  const name = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('');
  return name === '' ? 'the file' : name.replace(/^\./, '');
}
