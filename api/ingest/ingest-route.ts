import { MalformedInputError, RejectedError } from '../../core/errors.ts';
import { type Labels, labelsOf, SERVICE_NAME } from '../../core/labels/labels.ts';
import { ingestFolded, ingestPprof } from '../../pipeline/ingest-profiles.ts';
import { clusterOf } from '../access/identity.ts';
import { HttpError } from '../error-response.ts';
import { bodyOf, type Call, type Route } from '../route.ts';
import { type AppName, parseAppName } from './app-name.ts';
import { foldedTypeOf } from './folded-type.ts';
import { parseMultipart } from './multipart.ts';
import { parseRequestTime } from './request-time.ts';
import { parseSampleTypeConfig } from './sample-type-config.ts';

const DEFAULT_SAMPLE_RATE_HZ = 100;

/** Formats of Pyroscope's own that are known and not read. */
const UNREAD_FORMATS = new Set(['jfr', 'trie', 'tree', 'speedscope']);

/** `POST /ingest`, which the Go and Node.js SDKs and curl speak. Answers 200 with no body. */
export const ingestRoutes: Route[] = ['/ingest', '/pyroscope/ingest'].map((path) => ({
  method: 'POST',
  path,
  permission: 'ingest',
  handle: postIngest,
}));

/** What the parameters of an upload say. */
interface Upload {
  name: AppName;
  startMs: number | undefined;
  endMs: number | undefined;
  sampleRate: number;
  spyName: string;
}

async function postIngest(call: Call): Promise<Response> {
  const format = formatOf(call);
  const upload = readUpload(call);
  const { pprofBytesMax } = call.hub.settings;
  const body = await bodyOf(call, { name: 'pprofBytesMax', value: pprofBytesMax });
  if (body.length === 0) throw new MalformedInputError('body', 'is empty');
  if (format === 'pprof') await ingestProfile(call, upload, body);
  else if (format === 'form') await ingestForm(call, upload, body);
  else await ingestText(call, upload, format === 'lines' ? countLines(decodeText(body)) : decodeText(body));
  return new Response(null, { status: 200 });
}

type Format = 'pprof' | 'form' | 'lines' | 'groups';

/** `format` first, then the Content-Type; a body without either is folded text. */
function formatOf({ query, request }: Call): Format {
  const format = query.get('format') ?? '';
  const contentType = request.headers.get('content-type') ?? '';
  const octetFormat = /^binary\/octet-stream\+(\w+)/.exec(contentType)?.[1] ?? '';
  if (UNREAD_FORMATS.has(format) || UNREAD_FORMATS.has(octetFormat)) refuseFormat(format || octetFormat);
  if (contentType.startsWith('multipart/form-data') && (format === '' || format === 'pprof')) return 'form';
  if (format === 'pprof' || format === 'lines' || format === 'groups') return format;
  if (format === '') return 'groups';
  return refuseFormat(format);
}

function refuseFormat(format: string): never {
  throw new HttpError(
    422,
    'unimplemented',
    `format ${format} is not supported yet; send pprof (format=pprof) or folded text (format=groups or lines)`,
  );
}

function readUpload({ query, hub }: Call): Upload {
  const now = hub.clock();
  const name = query.get('name') ?? '';
  if (name === '')
    throw new MalformedInputError('name', 'is missing; it names the application: ?name=shop{env=prod}');
  const time = (parameter: string) => {
    const text = query.get(parameter) ?? '';
    return text === '' ? undefined : parseRequestTime(parameter, text, now);
  };
  const rate = Number(query.get('sampleRate') ?? DEFAULT_SAMPLE_RATE_HZ);
  return {
    name: parseAppName(name),
    startMs: time('from'),
    endMs: time('until'),
    sampleRate: Number.isInteger(rate) && rate > 0 ? rate : DEFAULT_SAMPLE_RATE_HZ,
    spyName: query.get('spyName') || 'unknown',
  };
}

async function ingestForm(call: Call, upload: Upload, body: Uint8Array): Promise<void> {
  const parts = parseMultipart(call.request.headers.get('content-type')!, body);
  if (parts.has('prev_profile')) {
    throw new RejectedError('invalid', 'prev_profile: cumulative profiles are not supported; send deltas');
  }
  const profile = parts.get('profile');
  if (profile === undefined) throw new MalformedInputError('multipart', 'has no part "profile"');
  await ingestProfile(call, upload, profile, parts.get('sample_type_config'));
}

async function ingestProfile(
  call: Call,
  upload: Upload,
  bytes: Uint8Array,
  config?: Uint8Array,
): Promise<void> {
  const { startMs, endMs } = upload;
  await ingestPprof(call.hub, {
    cluster: clusterOf(call.identity),
    profiles: [
      {
        labels: labelsFor(upload, upload.name.app),
        bytes,
        sampleTypes: config && parseSampleTypeConfig(config),
        startMs,
        endMs,
      },
    ],
  });
}

async function ingestText(call: Call, upload: Upload, text: string): Promise<void> {
  const { app, ...type } = foldedTypeOf(upload.name.app, upload.sampleRate);
  const endMs = upload.endMs ?? call.hub.clock();
  const startMs = upload.startMs ?? endMs;
  await ingestFolded(call.hub, {
    cluster: clusterOf(call.identity),
    labels: labelsFor(upload, app),
    text,
    ...type,
    startMs,
    durationMs: Math.max(1, endMs - startMs),
  });
}

/** Labels that begin with two underscores are the server's own and not taken from senders. */
function labelsFor({ name, spyName }: Upload, app: string): Labels {
  const own = [...name.labels].filter(([label]) => !label.startsWith('__'));
  return labelsOf([[SERVICE_NAME, app], ['pyroscope_spy', spyName], ...own]);
}

function decodeText(body: Uint8Array): string {
  return new TextDecoder().decode(body);
}

/** Format `lines`: every line is one sample. */
function countLines(text: string): string {
  return text.replace(/[^\r\n]+/g, '$& 1');
}
