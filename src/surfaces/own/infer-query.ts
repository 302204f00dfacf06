/**
 * The query of an inference request.
 */
import { invalidArgument, quoted } from '../../errors.js';
import { didYouMean } from '../../nearest.js';
import { queryParameters } from './openapi/infer-operation.js';

const known = queryParameters.map(({ name }) => name);

/**
 * Refuses parameters that there are none of: misspelt, they would be ignored, and the answer be another than was asked for.
 *
 * @throws ServingError INVALID_ARGUMENT with those there are
 */
export function checkInferQuery(query: { readonly [name: string]: unknown }): void {
  const unknown = Object.keys(query).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw invalidArgument(
    `the query has no parameter ${quoted(unknown)}${didYouMean(unknown, known)}; there are ${known.map(quoted).join(' and ')}`,
  );
}
