/** Finds the version that a request asks for a prediction of, before anything else is known of the request. */
import type { IncomingMessage } from 'node:http';
import Router from '@koa/router';
import type { Target } from '../../serving/table.js';
import type { InferRoute } from '../surface.js';
import { targetOf } from './target.js';

export class InferencePaths {
  private readonly router = new Router();
  private readonly routes = new Map<string, InferRoute>();

  constructor(routes: readonly InferRoute[]) {
    for (const route of routes) {
      const { path } = route;
      this.router.register(path, ['POST'], () => {}, { name: path });
      this.routes.set(path, route);
    }
  }

  /** The version that is meant; undefined if the request asks for no prediction, or in a way that is refused. */
  find({ method, url = '' }: IncomingMessage): Target | undefined {
    if (method !== 'POST' || !url.startsWith('/')) return undefined;
    const [path = ''] = url.split('?', 1);
    const [layer] = this.router.match(path, method).pathAndMethod;
    const route = this.routes.get(layer?.name ?? '');
    if (!layer || !route) return undefined;
    try {
      return (route.target ?? targetOf)(layer.params(path, layer.captures(path)));
    } catch {
      return undefined;
    }
  }
}
