import { setImmediate, setTimeout } from 'node:timers/promises';
import { allRoutes } from '../api/all-routes.ts';
import { createApi } from '../api/router.ts';
import { BlockBuilder } from '../core/block/block-builder.ts';
import { labelsOf, SERVICE_NAME } from '../core/labels/labels.ts';
import { CPU_PROFILE_TYPE } from '../core/labels/profile-type.ts';
import { addFolded } from '../core/profile/folded-profile.ts';
import type { Hub } from '../pipeline/hub.ts';
import { blockRowOf } from '../pipeline/process-batches.ts';
import type { BlockRow } from '../storage/block-catalog.ts';
import { blockKey } from '../storage/names.ts';
import { PRODUCT_VERSION } from './product-version.ts';

// The first query of a process costs twice what later ones do: JavaScript is compiled as it runs, and optimized where it
// runs often. So a server that has nothing else to do asks itself what a page asks, about blocks that it makes up, until
// that is done: then whoever opens the page first does not wait for it. Nothing of it is stored or counted.

/** Before any data can be: whatever a registry knows of losses and deletions, it is not about these times. */
const START_MS = 0;
const WINDOW_MS = 10_000;
const WINDOWS = 12;
const PODS = 6;
const BLOCKS = 6;
const STACKS = 2000;
const STACKS_PER_WINDOW = 250;
const DEPTH = 14;
const SERVICE = 'warm-up';

/** Fewer leave code that is not optimized yet, more gain nothing. Together they take half a second of CPU. */
const ROUNDS = 20;
const PAUSE_MS = 20;

export interface WarmUpOptions {
  /** How often each question is asked. */
  readonly rounds?: number;
  /** Between two questions, ms: what others want comes first. */
  readonly pauseMs?: number;
  readonly signal?: AbortSignal;
}

/** Asks for a flame graph and a timeline of made-up blocks. It takes no lock and writes nothing. */
export async function warmUp(hub: Hub, options: WarmUpOptions = {}): Promise<void> {
  const { rounds = ROUNDS, pauseMs = PAUSE_MS, signal } = options;
  if (signal?.aborted) return;
  const made = await madeUpHub(hub);
  const api = createApi(made, allRoutes(made, PRODUCT_VERSION));
  const ask = async (request: Request) => {
    const response = await api.handle(request, { identify: async () => ({ kind: 'open' }) });
    const body = await response.arrayBuffer();
    if (!response.ok) throw new Error(`the warm-up was refused: ${new TextDecoder().decode(body)}`);
  };
  for (let round = 0; round < rounds; round++) {
    for (const request of questions()) {
      if (signal?.aborted) return;
      await ask(request);
      await setTimeout(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }
}

function questions(): Request[] {
  const selector = `{${SERVICE_NAME}="${SERVICE}"}`;
  const [start, end] = [START_MS, START_MS + WINDOWS * WINDOW_MS];
  const range = { start: String(start), end: String(end) };
  const tree = new URLSearchParams({ ...range, profile_type: CPU_PROFILE_TYPE, selector });
  const timeline = JSON.stringify({ ...range, profileType: CPU_PROFILE_TYPE, selector });
  const headers = { 'accept-encoding': 'gzip', 'content-type': 'application/json' };
  const method = '/cinderblock.v1.QueryService/SelectTimeline';
  return [
    new Request(`http://127.0.0.1/v1/tree?${tree}`, { headers }),
    new Request(`http://127.0.0.1${method}`, { method: 'POST', headers, body: timeline }),
  ];
}

/** The hub, but with made-up blocks, and nobody who listens to what it tells. */
async function madeUpHub(hub: Hub): Promise<Hub> {
  const rows: BlockRow[] = [];
  const objects = new Map<string, Uint8Array>();
  for (let block = 0; block < BLOCKS; block++) {
    const builder = madeUpBlock(block);
    const meta = { blockId: `warm-up-${block}`, tenant: hub.tenant, level: 0, resolutionSeconds: 0 };
    const written = builder.write(meta, hub.codec);
    const row = blockRowOf({ ...written, batchIds: builder.batchIds }, START_MS);
    rows.push(row);
    objects.set(blockKey(row.tenant, row.level, row.blockId), written.bytes);
    await setImmediate();
  }
  const bytesOf = (key: string) => objects.get(key) ?? new Uint8Array();
  return {
    ...hub,
    catalog: { ...hub.catalog, find: async () => rows },
    objects: {
      ...hub.objects,
      getRange: async (key, start, end) => bytesOf(key).slice(start, end),
      getTail: async (key, length) => ({ bytes: bytesOf(key).slice(-length), size: bytesOf(key).length }),
    },
    telemetry: { count() {}, gauge() {}, log() {} },
    answers: undefined,
    // They know the real blocks only.
    queryWorkers: undefined,
  };
}

/** A few pods that run through much of the same code, each window through some of it. */
function madeUpBlock(block: number): BlockBuilder {
  const builder = new BlockBuilder();
  const dataset = builder.dataset(SERVICE);
  for (let pod = 0; pod < PODS; pod++) {
    const batch = builder.batch(`warm-up/${pod}/boot/${block}`);
    for (let window = block; window < WINDOWS; window += BLOCKS) {
      const first = (pod * 331 + window * 977) % STACKS;
      const lines = Array.from(
        { length: STACKS_PER_WINDOW },
        (_, i) => `${pathOf((first + i * 7) % STACKS)} ${1 + (i % 9)}`,
      );
      addFolded(dataset, {
        text: lines.join('\n'),
        labels: labelsOf([
          [SERVICE_NAME, SERVICE],
          ['pod', `pod-${pod}`],
        ]),
        ...{ batch, profileType: CPU_PROFILE_TYPE, valueScale: 1_000_000 },
        ...{ startMs: START_MS + window * WINDOW_MS, durationMs: WINDOW_MS },
      });
    }
  }
  return builder;
}

/** Stacks share their roots and differ towards their leaves. */
function pathOf(stack: number): string {
  const frames: string[] = [];
  for (let level = 0; level < DEPTH; level++)
    frames.push(`level_${level}::call_${Math.floor(stack / 2 ** (DEPTH - level - 1)) % 97}`);
  return frames.join(';');
}
