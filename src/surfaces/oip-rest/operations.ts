/**
 * What the operations of the protocol have in common, for the OpenAPI document.
 */
import { type ZodType, z } from 'zod';
import type { ErrorCode } from '../../errors.js';
import type { DocumentedAnswer, Operation, Parameter } from '../../http/routes/operation.js';
import { errorSchema } from './schemas.js';

export const modelParameter: Parameter = {
  name: 'model',
  in: 'path',
  description: 'The name of a model.',
  schema: z.string().min(1),
};

const versionParameter: Parameter = {
  name: 'version',
  in: 'path',
  description: 'A version that is loaded.',
  schema: z.int().nonnegative(),
};

/** The paths of a model, and the same with a version. */
export const modelPaths = [
  { path: '/v2/models/:model', suffix: '', parameters: [modelParameter] },
  {
    path: '/v2/models/:model/versions/:version',
    suffix: 'Version',
    parameters: [modelParameter, versionParameter],
  },
] as const;

/** The errors of a request for a model. */
export const modelErrors: readonly ErrorCode[] = ['INVALID_ARGUMENT', 'NOT_FOUND', 'UNAVAILABLE'];

export function oipOperation(operation: Omit<Operation, 'tag' | 'errorContent'>): Operation {
  return { ...operation, tag: 'open inference protocol', errorContent: jsonOf(errorSchema) };
}

export function jsonAnswer(description: string, schema: ZodType): DocumentedAnswer {
  return { description, content: [jsonOf(schema)] };
}

function jsonOf(schema: ZodType) {
  return { mediaTypes: ['application/json'], schema };
}
