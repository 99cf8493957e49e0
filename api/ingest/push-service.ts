import type { ServiceImpl } from '@connectrpc/connect';
import { MalformedInputError, RejectedError } from '../../core/errors.ts';
import { labelsOf, labelValue, SERVICE_NAME, UNKNOWN_SERVICE } from '../../core/labels/labels.ts';
import { ingestPprof, type PushedPprof } from '../../pipeline/ingest-profiles.ts';
import { clusterOf } from '../access/identity.ts';
import { callOf } from '../connect-call.ts';
import type { PusherService, RawProfileSeries } from '../gen/push/v1/push_pb.js';

/** Most profiles that one push may carry. */
const PROFILES_MAX = 1024;

/** `push.v1.PusherService`, which the Rust, Python, Ruby and .NET SDKs and collectors speak. */
export const pushService: ServiceImpl<typeof PusherService> = {
  async push(request, context) {
    const { hub, identity } = callOf(context);
    const profiles = request.series.flatMap(profilesOf);
    if (profiles.length > PROFILES_MAX) {
      throw new RejectedError(
        'invalid',
        `a push carries ${profiles.length} profiles, the limit is ${PROFILES_MAX}`,
      );
    }
    if (profiles.length > 0)
      await asInvalid(() => ingestPprof(hub, { cluster: clusterOf(identity), profiles }));
    return {};
  },
};

function profilesOf(series: RawProfileSeries): PushedPprof[] {
  const sent = labelsOf(series.labels.map(({ name, value }) => [name, value] as const));
  const profileName = labelValue(sent, '__name__');
  if (profileName === '') throw new MalformedInputError('push', 'a series has no label __name__');
  const own = sent.filter(([name]) => !name.startsWith('__'));
  const labels = labelsOf([[SERVICE_NAME, UNKNOWN_SERVICE], ...own]);
  const spyName = labelValue(labels, 'pyroscope_spy') || undefined;
  return series.samples.map(({ rawProfile }) => ({ labels, bytes: rawProfile, profileName, spyName }));
}

/** A profile past a limit will be past it the next time: collectors retry what is "exhausted", but not what is invalid. */
async function asInvalid(ingest: () => Promise<unknown>): Promise<void> {
  try {
    await ingest();
  } catch (error) {
    if (error instanceof RejectedError && error.reason === 'too-large') {
      throw new RejectedError('invalid', error.message, { cause: error });
    }
    throw error;
  }
}
