/**
 * `GET /docs`: the OpenAPI document as a page, on which requests can be tried. Everything that the page needs comes
 * from here. It asks no other host for anything, and its policy makes the browser enforce that.
 */

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { RouterContext } from '@koa/router';
import { z } from 'zod';
import { quoted, ServingError } from '../../../errors.js';
import { keysOf } from '../../../flow/keys.js';
import type { Route } from '../../../http/routes/route.js';

/** The files of Swagger UI, and our own script that starts it. */
const fileTypes = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
  'start.js': 'text/javascript; charset=utf-8',
} as const;

const fileSchema = z.enum(keysOf(fileTypes));
type FileName = z.output<typeof fileSchema>;

/** Swagger UI draws its icons from data: URLs. There is no inline script or style, and no eval. */
const policy = [
  ...["default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:"],
  ...["connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
].join('; ');

const pageHeaders = {
  'Content-Security-Policy': policy,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  // The browser asks again each time, and gets a 304 if nothing has changed.
  'Cache-Control': 'no-cache',
};

/**
 * `validatorUrl` is null, because the page would otherwise send the document's address to another host. When a key is
 * entered or removed, the page reloads the document, which shows the models only to those who may ask them.
 */
const startScript = `const place = document.getElementById('api');
let key;
const fetchAgain = (wanted, system) => {
  if (wanted === key) return;
  key = wanted;
  system.specActions.download(place.dataset.document);
};
const keyPlugin = () => ({
  statePlugins: {
    auth: {
      wrapActions: {
        authorize: (authorize, system) => (given) => {
          authorize(given);
          fetchAgain(given.ApiKey?.value, system);
        },
        logout: (logout, system) => (names) => {
          logout(names);
          fetchAgain(undefined, system);
        },
      },
    },
  },
});
globalThis.ui = SwaggerUIBundle({
  domNode: place,
  url: place.dataset.document,
  validatorUrl: null,
  plugins: [keyPlugin],
  requestInterceptor(request) {
    if (request.loadSpec && key) request.headers['X-API-Key'] = key;
    return request;
  },
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
});
`;

/**
 * @param below is the path to the files
 * @param up is the path to the document; both are relative, because the server may be mounted anywhere
 */
function page(below: string, up: string): string {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>tfjs-serving</title>
    <link rel="icon" type="image/png" href="${below}favicon-32x32.png">
    <link rel="stylesheet" href="${below}swagger-ui.css">
  </head>
  <body>
    <div id="api" data-document="${up}openapi.json"></div>
    <noscript>This page needs JavaScript; <a href="${up}openapi.json">the document itself</a> does not.</noscript>
    <script src="${below}swagger-ui-bundle.js"></script>
    <script src="${below}start.js"></script>
  </body>
</html>
`;
}

interface File {
  readonly bytes: Buffer;
  readonly compressed: Buffer;
  readonly etag: string;
}

export function docsRoutes(): Route[] {
  // The files are kept once somebody has opened the page.
  const files = new Map<FileName, Promise<File>>();
  return [
    {
      method: 'GET',
      path: '/docs',
      scope: 'open',
      operation: {
        id: 'docs',
        tag: 'documentation',
        summary: 'This document as a page',
        description: 'On it each request can be tried. It loads nothing from other hosts.',
        answers: {
          200: { description: 'The page', content: [{ mediaTypes: ['text/html'], schema: z.string() }] },
        },
      },
      handle: (ctx) => {
        ctx.set(pageHeaders);
        ctx.type = 'html';
        ctx.body = ctx.path.endsWith('/') ? page('', '../') : page('docs/', '');
      },
    },
    {
      method: 'GET',
      path: '/docs/:file',
      scope: 'open',
      operation: {
        id: 'docsFile',
        tag: 'documentation',
        summary: 'A file of the page',
        description: 'Those that the page at `/docs` asks for.',
        parameters: [{ name: 'file', in: 'path', description: 'Its name.', schema: fileSchema }],
        answers: {
          200: {
            description: 'The file',
            content: [{ mediaTypes: [...new Set(Object.values(fileTypes))] }],
            headers: ['ETag'],
          },
          304: { description: 'The file is as If-None-Match says', content: [], headers: ['ETag'] },
        },
        errors: ['NOT_FOUND'],
      },
      handle: (ctx) => sendFile(ctx, files),
    },
  ];
}

async function sendFile(ctx: RouterContext, files: Map<FileName, Promise<File>>): Promise<void> {
  const { data: name } = fileSchema.safeParse(ctx.params['file']);
  if (!name) throw new ServingError('NOT_FOUND', `the page has no file ${quoted(ctx.params['file'] ?? '')}`);
  const read = files.get(name) ?? readPageFile(name);
  files.set(name, read);
  const { bytes, compressed, etag } = await read;
  ctx.set(pageHeaders);
  ctx.vary('Accept-Encoding');
  ctx.etag = etag;
  ctx.status = 200;
  if (ctx.fresh) {
    ctx.status = 304;
    return;
  }
  const isCompressed = ctx.acceptsEncodings('gzip', 'identity') === 'gzip';
  if (isCompressed) ctx.set('Content-Encoding', 'gzip');
  ctx.body = isCompressed ? compressed : bytes;
  ctx.type = fileTypes[name];
}

async function readPageFile(name: FileName): Promise<File> {
  const bytes = name === 'start.js' ? Buffer.from(startScript) : await readFile(resolveFile(name));
  const compressed = await promisify(gzip)(bytes);
  const digest = createHash('sha256').update(bytes).digest('base64url');
  return { bytes, compressed, etag: `W/"${digest}"` };
}

function resolveFile(name: string): string {
  return createRequire(import.meta.url).resolve(`swagger-ui-dist/${name}`);
}
