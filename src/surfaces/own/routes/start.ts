/** `GET /`: what this server is, and where to read on. It is for people who open the address in the log. */
import { z } from 'zod';
import { packageVersion } from '../../../files/package-version.js';
import { valueAnswer } from '../../../http/routes/operation.js';
import type { Route } from '../../../http/routes/route.js';
import { sendValue } from '../answers.js';

const startSchema = z
  .object({
    name: z.literal('tfjs-serving'),
    version: z.string(),
    docs: z.string().describe('a page on which requests can be tried'),
    openapi: z.string().describe('the same for programs'),
    models: z.string().describe('the models that there are'),
  })
  .meta({ id: 'Start' });

export function startRoutes(): Route[] {
  return [
    {
      method: 'GET',
      path: '/',
      scope: 'open',
      operation: {
        id: 'start',
        tag: 'documentation',
        summary: 'What answers here, and where to read on',
        description: 'For those who open the address of the server.',
        answers: { 200: valueAnswer('Where to read on', startSchema) },
      },
      handle: (ctx) => {
        // If an application mounts this one, the path is only the rest.
        const above: unknown = ctx['mountPath'] ?? '';
        sendValue(ctx, {
          name: 'tfjs-serving',
          version: packageVersion(),
          docs: `${above}/docs`,
          openapi: `${above}/openapi.json`,
          models: `${above}/models`,
        } satisfies z.output<typeof startSchema>);
      },
    },
  ];
}
