/**
 * `POST /v2/models/{name}/infer`, and the same of a version.
 */
import type { ErrorCode } from '../../../errors.js';
import type { Content } from '../../../http/routes/operation.js';
import type { InferRoute } from '../../../http/surface.js';
import { modelPaths, oipOperation } from '../operations.js';
import { oipProtocol } from '../protocol.js';
import { inferAnswerSchema, inferRequestSchema } from '../schemas.js';

/** JSON, followed by binary tensors. */
const withBinary: Content = { mediaTypes: ['application/octet-stream'] };

/** The example asks `half_plus_two` of the demo models. */
const example = { inputs: [{ name: 'x', datatype: 'FP32', shape: [3], data: [1, 2, 5] }] };

const errors: readonly ErrorCode[] = [
  'INVALID_ARGUMENT',
  'NOT_FOUND',
  'NOT_ACCEPTABLE',
  'REQUEST_TIMEOUT',
  'PAYLOAD_TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
  'UNIMPLEMENTED',
  'UNAVAILABLE',
  'DEADLINE_EXCEEDED',
];

export function inferRoutes(): InferRoute[] {
  return modelPaths.map(({ path, suffix, parameters }) => ({
    path: `${path}/infer`,
    operation: oipOperation({
      id: `oipInfer${suffix}`,
      summary: 'One prediction',
      description:
        'Where binary tensors follow the JSON, the header `Inference-Header-Content-Length` says how many bytes the JSON has, in ' +
        'requests and answers alike.',
      parameters,
      body: {
        description: 'Tensors with their names',
        required: true,
        content: [{ mediaTypes: ['application/json'], schema: inferRequestSchema, example }, withBinary],
      },
      answers: {
        200: {
          description: 'The outputs',
          content: [{ mediaTypes: ['application/json'], schema: inferAnswerSchema }, withBinary],
        },
      },
      errors,
    }),
    protocol: oipProtocol,
  }));
}
