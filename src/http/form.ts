/**
 * The parts of a form, out of a body that has been read: no part becomes a file.
 */
import { Readable } from 'node:stream';
import type { RouterContext } from '@koa/router';
import { koaBody } from 'koa-body';
import type { FormPart } from '../codec/form.js';
import { invalidArgument, messageOf } from '../errors.js';

/** More than anybody has inputs and rows to send. */
const maxParts = 1000;

/** What koa-body hands over before it would store it. */
type Part = Parameters<
  NonNullable<NonNullable<NonNullable<Parameters<typeof koaBody>[0]>['formidable']>['onPart']>
>[0];

/**
 * Reads the parts of a multipart body.
 *
 * @throws ServingError (rejects) INVALID_ARGUMENT if it is damaged or has too many parts
 */
export async function readForm(ctx: RouterContext, bytes: Uint8Array): Promise<FormPart[]> {
  const parts: { part: Part; chunks: Buffer[] }[] = [];
  const parse = koaBody({
    multipart: true,
    json: false,
    urlencoded: false,
    text: false,
    patchKoa: false,
    formidable: {
      onPart(part) {
        const chunks: Buffer[] = [];
        if (parts.length < maxParts) part.on('data', (chunk: Buffer) => chunks.push(chunk));
        parts.push({ part, chunks });
      },
    },
  });
  try {
    // The body under the context's own head, in place of the connection that it came by.
    const req = Object.assign(Readable.from([bytes]), { headers: ctx.req.headers });
    await parse(Object.create(ctx, { req: { value: req } }), async () => {});
  } catch (error) {
    throw invalidArgument(`the form cannot be read: ${messageOf(error)}`);
  }
  if (parts.length > maxParts) throw invalidArgument(`the form has more than ${maxParts} parts`);
  return parts.map(({ part, chunks }) => ({
    name: part.name ?? '',
    fileName: part.originalFilename ?? undefined,
    mediaType: part.mimetype?.split(';', 1)[0]?.trim().toLowerCase(),
    bytes: chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks),
  }));
}
