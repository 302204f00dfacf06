/** Finds the signature that a request for a model's description means. */
import type { ParsedUrlQuery } from 'node:querystring';
import { z } from 'zod';
import type { Signature } from '../../engines/signature.js';
import { invalidArgument } from '../../errors.js';
import type { Parameter } from '../../http/routes/operation.js';
import { chooseSignature } from '../../serving/admitted.js';
import type { Servable } from '../../serving/servable.js';

export const signatureParameter: Parameter = {
  name: 'signature',
  in: 'query',
  description: 'The signature that is meant; the default one if left out.',
  schema: z.string(),
};

/**
 * The signature; undefined for a model without a default one, if none is named.
 *
 * @throws ServingError NOT_FOUND, INVALID_ARGUMENT if it is named twice
 */
export function askedSignature(
  servable: Servable,
  { signature: name }: ParsedUrlQuery,
): Signature | undefined {
  if (Array.isArray(name)) throw invalidArgument('`signature` comes twice in the query');
  return name === undefined ? servable.defaultSignature : chooseSignature(servable, name);
}
