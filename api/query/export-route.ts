import { RejectedError } from '../../core/errors.ts';
import { foldedText } from '../../core/flamegraph/folded.ts';
import { speedscopeText } from '../../core/flamegraph/speedscope.ts';
import { parseProfileType } from '../../core/labels/profile-type.ts';
import type { Completeness } from '../../core/query/completeness.ts';
import { type Selection, selectPprof, selectTree } from '../../pipeline/run-query.ts';
import { gzip } from '../gunzip.ts';
import type { Call, Route } from '../route.ts';
import { COMPLETENESS_HEADER, completenessHeader } from './completeness-header.ts';
import { selectionIn } from './request-selection.ts';

/** A selection as a file for other tools. */
export const exportRoutes: Route[] = [
  { method: 'GET', path: '/v1/export', permission: 'query', handle: getExport },
];

interface Exported {
  body: Uint8Array | Iterable<string>;
  contentType: string;
  suffix: string;
  completeness: Completeness;
}

async function getExport({ hub, query }: Call): Promise<Response> {
  const selection = selectionIn(query);
  const format = query.get('format') ?? 'pprof';
  const exported = await exportAs(format);
  return attachment(selection, exported);

  async function exportAs(format: string): Promise<Exported> {
    if (format === 'pprof') {
      const { bytes, completeness } = await selectPprof(hub, selection);
      return { body: gzip(bytes), contentType: 'application/octet-stream', suffix: 'pb.gz', completeness };
    }
    if (format !== 'folded' && format !== 'speedscope') {
      throw new RejectedError('invalid', `format is "${format}", it may be pprof, folded or speedscope`);
    }
    const { tree, completeness } = await selectTree(hub, selection);
    if (format === 'folded') {
      return {
        body: foldedText(tree),
        contentType: 'text/plain; charset=utf-8',
        suffix: 'folded.txt',
        completeness,
      };
    }
    const text = speedscopeText(tree, { name: `${selection.profileType} ${selection.selector}` });
    return { body: text, contentType: 'application/json', suffix: 'speedscope.json', completeness };
  }
}

function attachment(selection: Selection, { body, contentType, suffix, completeness }: Exported): Response {
  const stream = body instanceof Uint8Array ? body.slice() : streamOf(body);
  return new Response(stream, {
    headers: {
      'content-type': contentType,
      'content-disposition': `attachment; filename="${fileName(selection)}.${suffix}"`,
      'cache-control': 'no-store',
      [COMPLETENESS_HEADER]: completenessHeader(completeness),
    },
  });
}

/** `cpu-20261121T093000Z`; nothing of the selector, which may hold any character. */
function fileName({ profileType, start }: Selection): string {
  const { sampleType } = parseProfileType(profileType);
  const time = new Date(start).toISOString().replace(/[-:]|\.\d+/g, '');
  return `${sampleType.replace(/[^A-Za-z0-9_.-]/g, '_')}-${time}`;
}

/** Pieces are made as they are sent, so a large text is never in memory whole. */
function streamOf(pieces: Iterable<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const iterator = pieces[Symbol.iterator]();
  return new ReadableStream({
    pull(controller) {
      const { done, value } = iterator.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
  });
}
