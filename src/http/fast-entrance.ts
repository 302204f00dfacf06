/**
 * The entrance for common inference requests, past Koa. They have a common head, and a path in the usual spelling.
 *
 * It checks only the head. The request then goes through the same {@link InferenceRequest} as every other. What it
 * saves is Koa's context, the match of the router, and a dozen listeners and timers for each request. These take most
 * of the time of a small model's request: see docs/performance.md.
 */
import type { IncomingMessage, RequestListener } from 'node:http';
import type { ServingError } from '../errors.js';
import type { Table, Target } from '../serving/table.js';
import { checkAccess } from './access/api-keys.js';
import { type Answer, writeAnswer, writeError } from './answer/answer.js';
import { surfaceError } from './answer/surface-error.js';
import { needsNoCheck } from './request/check-head.js';
import { Exchange } from './request/exchange.js';
import { DirectHead } from './request/head.js';
import { type Exit, InferenceRequest } from './request/inference-request.js';
import type { InferenceServices } from './services.js';
import type { CommonRequests, Surface } from './surface.js';

/** A common request, known by its path. */
interface Found {
  readonly target: () => Target;
  readonly surface: Surface;
  readonly common: CommonRequests;
}

/** @param general takes every other request */
export function fastEntrance(
  services: InferenceServices,
  surfaces: readonly Surface[],
  general: RequestListener,
): RequestListener {
  const paths = new Paths(surfaces);
  return (req, res) => {
    const found = findCommon(req, paths, services);
    if (!found) {
      general(req, res);
      return;
    }
    const { target, surface, common } = found;
    const exchange = new Exchange(req, res, services.exchanges);
    const asked = { head: new DirectHead(req), target, protocol: common.protocol };
    const exit = new DirectExit(exchange, asked.head, surface, services);
    const request = new InferenceRequest(exchange, services, asked, exit);
    try {
      checkAccess(services.keys, 'infer', exchange);
    } catch (error) {
      request.failed(error);
      return;
    }
    request.start();
  };
}

/**
 * The request; undefined if anything in the head asks for more than this entrance can do, or if a surface fails to
 * tell.
 */
function findCommon(req: IncomingMessage, paths: Paths, services: InferenceServices): Found | undefined {
  if (req.method !== 'POST') return undefined;
  const { hosts, logger } = services;
  try {
    const found = paths.find(services.table(), req.url ?? '');
    return found?.common.isCommon(req.headers) && needsNoCheck(req, hosts) ? found : undefined;
  } catch (error) {
    logger.error({ err: error }, 'a surface failed to tell whether a request is a common one');
    return undefined;
  }
}

/** The paths of all models that serve, on all surfaces. They are made anew when models come and go. */
class Paths {
  private table: Table | undefined;
  private found = new Map<string, Found>();

  constructor(private readonly surfaces: readonly Surface[]) {}

  find(table: Table, path: string): Found | undefined {
    if (table !== this.table) this.collect(table);
    return this.found.get(path);
  }

  private collect(table: Table): void {
    this.table = table;
    this.found = new Map();
    for (const surface of this.surfaces) {
      const { common } = surface;
      if (!common) continue;
      for (const model of table.models.keys())
        if (table.has({ model }))
          this.found.set(common.path(model), { target: () => ({ model }), surface, common });
      if (common.defaultPath !== undefined && table.has({}))
        this.found.set(common.defaultPath, { target: () => ({}), surface, common });
    }
  }
}

class DirectExit implements Exit {
  constructor(
    private readonly exchange: Exchange,
    private readonly head: DirectHead,
    private readonly surface: Surface,
    private readonly services: InferenceServices,
  ) {}

  answer(answer: Answer, freeBody: () => void): void {
    writeAnswer(this.exchange, answer, freeBody);
  }

  fail(error: ServingError): void {
    const { exchange, head, surface, services } = this;
    const { code, message } = error;
    services.logger.debug({ code, path: exchange.path, request_id: exchange.requestId }, message);
    if (exchange.isGone) exchange.answered();
    else writeError(exchange, error, surfaceError(surface, head, error, services.logger));
  }

  streamBegins(): void {}

  streamed(): void {
    this.exchange.answered();
  }
}
