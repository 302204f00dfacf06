/**
 * The entrance for common inference requests, past Koa. They have a common head, and a path in the usual spelling.
 *
 * It checks only the head. The request then goes through the same {@link InferenceRequest} as every other. What it
 * saves is Koa's context, the match of the router, and a dozen listeners and timers for each request. These take most
 * of the time of a small model's request: see docs/performance.md.
 */
import type { IncomingMessage, RequestListener } from 'node:http';
import type { Table } from '../serving/table.js';
import { checkAccess } from './access/api-keys.js';
import { DirectExit } from './answer/direct-exit.js';
import { needsNoCheck } from './request/check-head.js';
import { Exchange } from './request/exchange.js';
import { DirectHead } from './request/head.js';
import { type Asked, InferenceRequest } from './request/inference-request.js';
import type { InferenceServices } from './services.js';
import type { CommonRequests, Surface } from './surface.js';

/** A common request, known by its path. */
interface Found extends Asked {
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
    const exchange = new Exchange(req, res, services.exchanges);
    const exit = new DirectExit(exchange, new DirectHead(req), services.logger, found.surface);
    try {
      checkAccess(services.keys, 'infer', exchange);
    } catch (error) {
      exit.fail(error);
      return;
    }
    new InferenceRequest(exit, services, found).start();
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
      const { protocol, defaultPath } = common;
      for (const model of table.models.keys())
        if (table.has({ model }))
          this.found.set(common.path(model), { surface, common, protocol, target: () => ({ model }) });
      if (defaultPath !== undefined && table.has({}))
        this.found.set(defaultPath, { surface, common, protocol, target: () => ({}) });
    }
  }
}
