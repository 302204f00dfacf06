/**
 * The bodies that an inference request may have, by media type.
 */
import type { RouterContext } from '@koa/router';
import { requestCodecs } from '../codec/codecs.js';
import { decodeForm } from '../codec/form.js';
import type { InferRequest } from '../codec/infer-request.js';
import type { WireLimits } from '../codec/wire.js';
import type { Body } from './body.js';
import { readForm } from './form.js';

export interface BodyDecoder {
  readonly mediaType: string;
  /** @throws ServingError INVALID_ARGUMENT */
  decode(ctx: RouterContext, body: Body, limits: WireLimits): InferRequest | Promise<InferRequest>;
}

const formDecoder: BodyDecoder = {
  mediaType: 'multipart/form-data',
  decode: async (ctx, { bytes, claim }, limits) => decodeForm(await readForm(ctx, bytes), limits, claim),
};

export const bodyDecoders: readonly BodyDecoder[] = [
  ...requestCodecs.map(
    (codec): BodyDecoder => ({
      mediaType: codec.mediaType,
      decode: (_ctx, { bytes, claim }, limits) => codec.decode(bytes, limits, claim),
    }),
  ),
  formDecoder,
];
