import middy from '@middy/core';
import { errorResponse, failureOf } from '../api/error-response.ts';
import type { Route } from '../api/route.ts';
import { createApi } from '../api/router.ts';
import type { Hub } from '../pipeline/hub.ts';
import { identityOf } from './event-identity.ts';
import { type HttpEvent, type HttpResult, toRequest, toResult } from './http-event.ts';
import { once, withTelemetry } from './invocation.ts';
import type { FunctionHub } from './open-hub.ts';

/** Left of the function's time when it gives up on an answer, in ms. */
const ANSWER_MARGIN_MS = 500;

/** Cut off by Lambda, the caller would learn nothing but a status 500. */
const TIME_IS_UP: HttpResult = {
  statusCode: 504,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({
    code: 'deadline_exceeded',
    message:
      'no answer in time; try again, or ask for a shorter time range, one service or more label matchers',
  }),
  isBase64Encoded: false,
};

/** A handler for some routes of the API: event → request → use case → response → result. Others are not found here. */
export function serveRoutes(open: () => FunctionHub, routesOf: (hub: Hub) => readonly Route[]) {
  const api = once(() => createApi(open().hub, routesOf(open().hub)));
  return middy<HttpEvent, HttpResult>({
    timeoutEarlyInMillis: ANSWER_MARGIN_MS,
    timeoutEarlyResponse: () => TIME_IS_UP,
  })
    .use(withTelemetry(open))
    .handler(async (event) => {
      const identify = () => identityOf(event, open());
      return toResult(await answer(event, (request) => api().handle(request, { identify })));
    });
}

async function answer(event: HttpEvent, handle: (request: Request) => Promise<Response>): Promise<Response> {
  let request: Request;
  try {
    request = toRequest(event);
  } catch (error) {
    return errorResponse(failureOf(error));
  }
  return handle(request);
}
