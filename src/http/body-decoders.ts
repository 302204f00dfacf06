/**
 * The bodies that an inference request may have, by media type.
 */
import type { RouterContext } from '@koa/router';
import { jsonRequests, requestCodecs } from '../codec/codecs.js';
import { adviceOnBody } from '../codec/foreign-body.js';
import { decodeForm } from '../codec/form.js';
import type { InferRequest } from '../codec/infer-request.js';
import { inPieces } from '../codec/pieces.js';
import type { WireLimits } from '../codec/wire.js';
import { ServingError } from '../errors.js';
import type { Body } from './body.js';
import { readForm } from './form.js';

export interface BodyDecoder {
  readonly mediaType: string;
  /** @throws ServingError INVALID_ARGUMENT */
  decode(ctx: RouterContext, body: Body, limits: WireLimits): InferRequest | Promise<InferRequest>;
}

const formDecoder: BodyDecoder = {
  mediaType: 'multipart/form-data',
  async decode(ctx, { bytes, claim }, limits) {
    const parts = await readForm(ctx.get('content-type'), bytes, claim);
    return inPieces(decodeForm(parts, limits, claim));
  },
};

const curlType = 'application/x-www-form-urlencoded';

/**
 * What `curl -d` says of JSON of its own accord. Forms of that type are none that an inference takes.
 *
 * @param name of an input, for errors
 */
export const curlDecoder = (name: string): BodyDecoder => ({
  mediaType: curlType,
  decode(_ctx, { bytes, claim }, limits) {
    if (!/^\s*[[{]/.test(Buffer.from(bytes.subarray(0, 64)).toString('latin1')))
      throw new ServingError(
        'UNSUPPORTED_MEDIA_TYPE',
        adviceOnBody(bytes, name) ??
          `expected JSON, got a form of the type \`${curlType}\`: send JSON by -d '{"${name}": …}', or a form by -F ${name}=…`,
      );
    return jsonRequests.decode(bytes, limits, claim);
  },
});

export const bodyDecoders: readonly BodyDecoder[] = [
  ...requestCodecs.map(
    (codec): BodyDecoder => ({
      mediaType: codec.mediaType,
      decode: (_ctx, { bytes, claim }, limits) => codec.decode(bytes, limits, claim),
    }),
  ),
  formDecoder,
];
