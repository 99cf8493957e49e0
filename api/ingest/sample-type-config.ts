import { MalformedInputError } from '../../core/errors.ts';
import type { PushedPprof } from '../../pipeline/ingest-profiles.ts';

type SampleTypes = NonNullable<PushedPprof['sampleTypes']>;

/**
 * The form field `sample_type_config`: `{"alloc_space":{"units":"bytes","display-name":"…","sampled":true,"cumulative":false}}`.
 * @throws MalformedInputError
 */
export function parseSampleTypeConfig(bytes: Uint8Array): SampleTypes {
  const config = parse(bytes);
  if (!isRecord(config)) fail('is not a JSON object');
  // From entries: a type named __proto__ is then a key like any other.
  return Object.fromEntries(
    Object.entries(config as Record<string, unknown>).map(([type, entry]) => {
      if (!isRecord(entry)) fail(`"${type}" is not a JSON object`);
      const fields = entry as Record<string, unknown>;
      return [
        type,
        {
          units: text(fields.units),
          displayName: text(fields['display-name']),
          sampled: fields.sampled === true,
          cumulative: fields.cumulative === true,
        },
      ];
    }),
  );
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new MalformedInputError('sample_type_config', 'is not JSON', undefined, { cause });
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function isRecord(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function fail(message: string): never {
  throw new MalformedInputError('sample_type_config', message);
}
