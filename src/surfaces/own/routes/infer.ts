/** `POST /infer`, and the same for a model, a version and a label. */
import type { InferRoute } from '../../../http/surface.js';
import { inferOperation, inferPaths } from '../openapi/infer-operation.js';
import { ownProtocol } from '../protocol.js';

export function inferRoutes(): InferRoute[] {
  return inferPaths.map((path) => ({
    path,
    operation: inferOperation(path),
    protocol: ownProtocol,
  }));
}
