import middy from '@middy/core';
import { errorResponse, failureOf } from '../api/error-response.ts';
import type { Route } from '../api/route.ts';
import { createApi } from '../api/router.ts';
import type { Hub } from '../pipeline/hub.ts';
import { identityOf } from './event-identity.ts';
import { type HttpEvent, type HttpResult, toRequest, toResult } from './http-event.ts';
import { once, withTelemetry } from './invocation.ts';
import type { FunctionHub } from './open-hub.ts';

/** A handler for some routes of the API: event → request → use case → response → result. Others are not found here. */
export function serveRoutes(open: () => FunctionHub, routesOf: (hub: Hub) => readonly Route[]) {
  const api = once(() => createApi(open().hub, routesOf(open().hub)));
  return middy<HttpEvent, HttpResult>()
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
