import { defaultHubSettings, type Hub } from '../../pipeline/hub.ts';
import { compileLinearRegex } from '../../pipeline/linear-regex.ts';
import { openEmbeddedStorage } from '../../storage/embedded/open-embedded-storage.ts';
import { gunzipBounded } from '../../storage/gzip.ts';
import { zstdCodec } from '../../storage/zstd-codec.ts';

/** A hub on a data folder, whose clock says what it is set to. */
export type HubAt = Hub & { time: { now: number }; close(): Promise<void> };

export async function openHubAt(folder: string, now: number): Promise<HubAt> {
  const time = { now };
  const storage = await openEmbeddedStorage({ folder, clock: () => time.now });
  return {
    ...storage,
    access: { kind: 'key-pair' },
    codec: zstdCodec,
    gunzip: gunzipBounded,
    compileRegex: compileLinearRegex,
    clock: () => time.now,
    // As in a real process: one that starts again makes other ids.
    random: Math.random,
    tenant: 'default',
    settings: defaultHubSettings,
    telemetry: { count() {}, gauge() {}, log() {} },
    time,
  };
}
