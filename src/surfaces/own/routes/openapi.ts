/**
 * `GET /openapi.json`: the routes of this server, for programs. For people there is `/docs`.
 *
 * It is open to everybody. Models are shown only to those who may ask for predictions.
 */
import type { RouterContext } from '@koa/router';
import { z } from 'zod';
import { packageVersion } from '../../../files/package-version.js';
import { hasExpired, sentKey } from '../../../http/access/api-keys.js';
import type { Route, TableRoute } from '../../../http/routes/route.js';
import type { Services } from '../../../http/services.js';
import type { Table } from '../../../serving/table.js';
import { stringifyInTurns } from '../json-pieces.js';
import { describeApi } from '../openapi/document.js';
import { withModels } from '../openapi/model-operations.js';

const documentSchema = z
  .looseObject({
    openapi: z.string(),
    info: z.looseObject({}),
    paths: z.record(z.string(), z.looseObject({})),
  })
  .meta({ id: 'OpenApiDocument' });

/** The levels that are written member by member: `paths` and each path; `components`, each kind, and each component. */
const levelsOfMembers = 3;

export function openApiRoutes({ manager, routes, keys }: Services): Route[] {
  const documents = new Documents(routes, keys.configured);
  const documentFor = (ctx: RouterContext) => {
    if (!keys.configured) return documents.of(manager.table);
    const principal = keys.find(sentKey(ctx.req.headers).key);
    if (!principal?.scopes.has('infer') || hasExpired(principal)) return documents.withoutModels;
    return documents.of(manager.table.limitedTo(principal.models));
  };
  return [
    {
      method: 'GET',
      path: '/openapi.json',
      scope: 'open',
      operation: {
        id: 'openapi',
        tag: 'documentation',
        summary: 'This document',
        description:
          'With the inputs and outputs of each model that is served, for those who may ask for predictions.',
        answers: {
          200: {
            description: 'An OpenAPI 3.1 document',
            content: [{ mediaTypes: ['application/json'], schema: documentSchema }],
          },
        },
      },
      handle: async (ctx) => {
        ctx.set('cache-control', 'no-cache');
        if (keys.configured) ctx.vary('X-API-Key, Api-Key, Authorization');
        ctx.set('Content-Type', 'application/json');
        ctx.body = await documentFor(ctx);
      },
    },
  ];
}

/**
 * The documents. They are made when somebody asks, so that the start of a server does not wait for them, and kept while
 * they are right.
 */
class Documents {
  private readonly ofTables = new WeakMap<Table, Promise<string>>();
  private general: Promise<string> | undefined;

  constructor(
    private readonly table: () => readonly TableRoute[],
    private readonly hasKeys: boolean,
  ) {}

  private get routes(): Route[] {
    return this.table().filter(isDescribed);
  }

  get withoutModels(): Promise<string> {
    this.general ??= this.describe(this.routes);
    return this.general;
  }

  of(table: Table): Promise<string> {
    const text = this.ofTables.get(table) ?? this.describe(withModels(this.routes, table));
    this.ofTables.set(table, text);
    return text;
  }

  private async describe(routes: Iterable<Omit<Route, 'handle'>>): Promise<string> {
    const facts = { version: packageVersion(), hasKeys: this.hasKeys };
    return stringifyInTurns(await describeApi(routes, facts), levelsOfMembers);
  }
}

function isDescribed(route: TableRoute): route is Route {
  return route.operation !== undefined;
}
