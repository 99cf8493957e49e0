import { MalformedInputError } from '../../core/errors.ts';
import type { KeepInfo, RetentionInfo } from '../admin-client.ts';
import { parseDuration } from '../time-argument.ts';

// Policies as people write them: {"policies": [{"selector": "{cluster=\"dev\"}", "raw": "7d", "5m": "30d", "1h": "90d"}]}

/** For how long windows of each resolution are kept; 1h is for those of a day, too. */
export interface KeepTexts {
  readonly raw: string;
  readonly '5m': string;
  readonly '1h': string;
}

export type PolicyTexts = { readonly selector: string } & KeepTexts;

const KEEP_FIELDS = { raw: 'rawMs', '5m': 'fiveMinutesMs', '1h': 'hourMs' } as const;
const FIELDS = ['selector', ...Object.keys(KEEP_FIELDS)];

/**
 * Policies of a file, as the hub takes them. What `retention show --output json` prints is such a file; its `fallback`
 * and `rawAtLeast` are the hub's, and not read.
 * @throws MalformedInputError with the place; UsageError for a length of time that is none
 */
export function readPolicyFile(text: string): { selector: string; keep: KeepInfo }[] {
  const content = parsed(text);
  const policies = (content as { policies?: unknown } | null)?.policies;
  if (!Array.isArray(policies))
    throw new MalformedInputError('policies', 'the file must be {"policies": […]}');
  return policies.map(readPolicy);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new MalformedInputError('policies', (cause as Error).message, undefined, { cause });
  }
}

function readPolicy(
  policy: Record<string, unknown> | null,
  index: number,
): { selector: string; keep: KeepInfo } {
  const place = `policy ${index + 1}`;
  const fields = Object.keys(policy ?? {});
  const unknown = fields.find((field) => !FIELDS.includes(field));
  if (unknown !== undefined)
    throw new MalformedInputError(place, `has "${unknown}"; it has ${FIELDS.join(', ')}`);
  const textOf = (field: string): string => {
    const value = policy?.[field];
    if (typeof value === 'string') return value;
    throw new MalformedInputError(place, `"${field}" must be a text`);
  };
  const lengthOf = (field: keyof KeepTexts) => String(parseDuration(`${place}, "${field}"`, textOf(field)));
  const keep = { rawMs: lengthOf('raw'), fiveMinutesMs: lengthOf('5m'), hourMs: lengthOf('1h') };
  return { selector: textOf('selector'), keep };
}

/** What the hub has, as such a file. */
export function policyTexts({ policies, fallback, rawKeepMinMs }: RetentionInfo): {
  policies: PolicyTexts[];
  fallback: KeepTexts;
  rawAtLeast: string;
} {
  return {
    policies: policies.map(({ selector, keep }) => ({ selector, ...keepTexts(keep) })),
    fallback: keepTexts(fallback),
    rawAtLeast: lengthText(Number(rawKeepMinMs)),
  };
}

function keepTexts(keep: KeepInfo): KeepTexts {
  const textOf = (field: keyof KeepTexts) => lengthText(Number(keep[KEEP_FIELDS[field]]));
  return { raw: textOf('raw'), '5m': textOf('5m'), '1h': textOf('1h') };
}

/** In the largest unit of which it is a whole number, as `parseDuration` reads it. */
function lengthText(ms: number): string {
  if (ms % 86_400_000 === 0) return `${ms / 86_400_000}d`;
  if (ms % 3_600_000 === 0) return `${ms / 3_600_000}h`;
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}
