/**
 * `GET /openapi.json`: this very server's routes, for programs. For people there is `/docs`.
 */
import { z } from 'zod';
import { packageVersion } from '../../package-version.js';
import type { ApiKeys } from '../api-keys.js';
import { describeApi } from '../openapi.js';
import type { Route } from '../route.js';

const documentSchema = z
  .looseObject({
    openapi: z.string(),
    info: z.looseObject({}),
    paths: z.record(z.string(), z.looseObject({})),
  })
  .meta({ id: 'OpenApiDocument' });

/** @param routes all of them, this one included */
export function openApiRoutes(routes: () => readonly Route[], { configured }: ApiKeys): Route[] {
  let text: string | undefined;
  return [
    {
      method: 'GET',
      path: '/openapi.json',
      scope: 'open',
      operation: {
        id: 'openapi',
        tag: 'documentation',
        summary: 'This document',
        answers: {
          200: {
            description: 'An OpenAPI 3.1 document',
            content: [{ mediaTypes: ['application/json'], schema: documentSchema }],
          },
        },
      },
      handle: (ctx) => {
        // Made when somebody asks: a server's start does not wait for it.
        text ??= JSON.stringify(describeApi(routes(), { version: packageVersion(), hasKeys: configured }));
        ctx.type = 'application/json';
        ctx.body = text;
      },
    },
  ];
}
