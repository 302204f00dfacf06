/**
 * The bodies that an inference request may have, by media type.
 */
import type { IncomingMessage } from 'node:http';
import { cborRequests, jsonRequests, type RequestCodec, requestCodecs } from '../../codec/codecs.js';
import { adviceOnBody } from '../../codec/foreign-body.js';
import { decodeForm } from '../../codec/form/decode.js';
import { ServingError } from '../../errors.js';
import { runInTurns } from '../../flow/turns.js';
import { mediaTypeOf } from '../../http/body/media-type.js';
import type { BodyDecoder } from '../../http/inference-protocol.js';
import { readForm } from './form.js';

const formDecoder: BodyDecoder = {
  mediaType: 'multipart/form-data',
  async decode({ req }, { bytes, claim }, limits) {
    const parts = await readForm(req.headers['content-type'] ?? '', bytes, claim);
    return runInTurns(decodeForm(parts, limits, claim));
  },
};

/** Decodes JSON with the type that `curl -d` sends by default. Inference requests have no forms of that type. */
const curlDecoder: BodyDecoder = {
  mediaType: 'application/x-www-form-urlencoded',
  decode(_head, { bytes, claim }, limits, { inputName }) {
    if (!/^\s*[[{]/.test(Buffer.from(bytes.subarray(0, 64)).toString('latin1')))
      throw new ServingError(
        'UNSUPPORTED_MEDIA_TYPE',
        adviceOnBody(bytes, inputName) ??
          `expected JSON, got a form of the type \`${this.mediaType}\`: send JSON by -d '{"${inputName}": …}', or a form by -F ${inputName}=…`,
      );
    return jsonRequests.decode(bytes, limits, claim);
  },
};

const decoderFor = ({ mediaType, decode }: RequestCodec): BodyDecoder => ({
  mediaType,
  decode: (_head, { bytes, claim }, limits) => decode(bytes, limits, claim),
});

export const cborDecoder = decoderFor(cborRequests);

/** The decoders whose types are advertised. */
export const bodyDecoders: readonly BodyDecoder[] = [...requestCodecs.map(decoderFor), formDecoder];

const byType = new Map([...bodyDecoders, curlDecoder].map((decoder) => [decoder.mediaType, decoder]));

/** The decoder for the type of a request's body; undefined if there is none. */
export function decoderOf(req: IncomingMessage): BodyDecoder | undefined {
  return byType.get(mediaTypeOf(req));
}
