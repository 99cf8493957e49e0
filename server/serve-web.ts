import { buildWeb, HOW_TO_BUILD, isWebStale, WEB_DIST } from './build-web.ts';
import { openWebFiles, placeholder, type WebFiles } from './web-files.ts';

/** Answers a path below the prefix, or undefined where there is no such file. */
export type WebResponder = (request: Request, path: string) => Promise<Response | undefined>;

export interface ServedWeb {
  respond: WebResponder;
  /** Resolves once the page can be served, or with the reason why it cannot, or only an old one. */
  ready: Promise<string | undefined>;
}

/** Serves the page as soon as it is there, built first where it is missing or old; the API does not wait for it. */
export function serveWeb(isWanted: boolean): ServedWeb {
  if (!isWanted) return { respond: async () => undefined, ready: Promise.resolve(undefined) };
  let files: WebFiles | undefined;
  let message = 'the page is being built';
  const ready = (async () => {
    const { built, output } = isWebStale() ? await buildWeb() : { built: true, output: '' };
    try {
      // An old page is better than none.
      files = await openWebFiles(WEB_DIST);
    } catch {
      message = HOW_TO_BUILD;
    }
    return built ? undefined : `${HOW_TO_BUILD}${output === '' ? '' : ` (${output.split('\n')[0]})`}`;
  })();
  const respond: WebResponder = async (request, path) => {
    if (files) return files.respond(request, path);
    return path.includes('.') ? undefined : placeholder(message);
  };
  return { respond, ready };
}
