/**
 * Reads Triton's raw binary requests: the whole body is the values of the only input, and the signature says its
 * datatype and shape.
 */
import { checkByteCount, checkShape, type DeferredTensor, type KnownTensor } from '../../codec/wire.js';
import { formatSpec, type TensorSpec } from '../../engines/signature.js';
import { invalidArgument } from '../../errors.js';
import type { Claim, Steps } from '../../flow/steps.js';
import { dtypes, elementCount } from '../../tensors/dtypes.js';
import { checkTravels } from './datatypes.js';
import { countFramedStrings, readFramedStrings } from './framed-strings.js';
import { OipRequest } from './request.js';

/** Triton answers such requests in binary, too. */
const wanted = { id: undefined, isBinary: true, isBinaryOutput: new Map<string, boolean>() } as const;

/** @param claim is called before strings take memory */
export function rawRequest(body: Uint8Array, claim: Claim): OipRequest {
  return new OipRequest(new Map(), undefined, undefined, wanted, rawTensor(body, claim));
}

function rawTensor(bytes: Uint8Array, claim: Claim): DeferredTensor {
  return {
    kind: 'deferred',
    *resolve(spec, limits): Steps<KnownTensor> {
      const what = `input \`${spec.name}\``;
      const { dtype } = spec;
      checkTravels(what, dtype);
      if (dtype === 'string') {
        const shape = checkShape(what, shapeOf(what, spec, countFramedStrings(bytes)), limits);
        const data = yield* readFramedStrings(what, bytes, elementCount(shape), claim);
        return { kind: 'typed', dtype, shape, data };
      }
      const count = Math.floor(bytes.length / dtypes[dtype].size);
      const shape = checkShape(what, shapeOf(what, spec, count), limits);
      checkByteCount(what, dtype, shape, bytes.length);
      return { kind: 'typed', dtype, shape, data: bytes };
    },
  };
}

/**
 * The shape of a tensor with so many elements. One dim of its spec may be unknown.
 *
 * @throws ServingError INVALID_ARGUMENT if more are unknown
 */
function shapeOf(what: string, spec: TensorSpec, elements: number): number[] {
  const unknown = spec.shape?.filter((dim) => dim === null).length;
  if (spec.shape === null || unknown === undefined || unknown > 1)
    throw invalidArgument(
      `${what} takes ${formatSpec(spec)}, and bytes alone do not tell its shape: send JSON before them, with the length of the JSON as Inference-Header-Content-Length`,
    );
  const known = spec.shape.reduce<number>((product, dim) => product * (dim ?? 1), 1);
  const size = known === 0 ? 0 : Math.floor(elements / known);
  return spec.shape.map((dim) => dim ?? size);
}
