/**
 * The query of an inference request.
 */
import { invalidArgument, quoted } from '../../errors.js';
import { didYouMean } from '../../handwritten/nearest.js';
import { queryParameters } from './openapi/infer-operation.js';

const known = queryParameters.map(({ name }) => name);

/**
 * Refuses unknown parameters. If a misspelt one were ignored, the answer would differ from what was asked for.
 *
 * @throws ServingError INVALID_ARGUMENT with the parameters there are
 */
export function checkInferQuery(query: { readonly [name: string]: unknown }): void {
  const unknown = Object.keys(query).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw invalidArgument(
    `the query has no parameter ${quoted(unknown)}${didYouMean(unknown, known)}; there are ${known.map(quoted).join(' and ')}`,
  );
}
