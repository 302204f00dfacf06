/**
 * The gate before a swap: a version must run, not only load.
 *
 * Only the default signature is run, since another may train. Inputs are made up from its specs, and may be invalid for a good model:
 * so only errors that are the model's own refuse it.
 */
import { type ErrorCode, messageOf, ServingError } from '../errors.js';
import { elementCount } from '../runtime/dtypes.js';
import type { InferenceModel } from '../runtime/runtime.js';
import type { Signature, TensorSpec } from '../runtime/signature.js';
import { createTensor, disposeTensors, type Tensor } from '../runtime/tensors.js';
import { allocate } from '../runtime/values.js';
import { within } from './within.js';

/** Uninitialised variables, missing tables, missing or unfinished operations: no input can mend these. */
const modelsOwnFaults: ReadonlySet<ErrorCode> = new Set([
  'FAILED_PRECONDITION',
  'NOT_FOUND',
  'UNIMPLEMENTED',
  'INTERNAL',
]);

/** Made-up inputs larger than this are not tried. */
const maxElements = 2 ** 26;

/**
 * Runs the signature once with made-up inputs.
 *
 * @param seconds how long the run may take
 * @returns why nothing can be said of the model, or undefined if it ran
 * @throws ServingError if the model cannot serve
 */
export async function warmUp(
  model: InferenceModel,
  signature: Signature | undefined,
  seconds: number,
): Promise<string | undefined> {
  if (!signature) return 'could not be warmed up: no default signature';
  const specs = [...signature.inputs.values()];
  if (specs.some((spec) => elementCount(shapeFor(spec)) > maxElements))
    return 'could not be warmed up: its inputs are too large to make up';
  const inputs = new Map(specs.map((spec) => [spec.name, makeUp(spec)]));
  const run = model.predict(signature, inputs, { timeoutSeconds: seconds });
  // A run that goes on past its time keeps its inputs.
  run
    .then(
      ({ outputs }) => disposeTensors(outputs),
      () => {},
    )
    .finally(() => disposeTensors(inputs));
  try {
    await within(
      seconds,
      run,
      () => new ServingError('DEADLINE_EXCEEDED', `the run took more than ${seconds} s`),
    );
    return undefined;
  } catch (error) {
    if (error instanceof ServingError && !modelsOwnFaults.has(error.code))
      return `could not be warmed up: ${messageOf(error)}`;
    throw error;
  }
}

function shapeFor({ shape }: TensorSpec): number[] {
  return shape === null ? [1] : shape.map((dim) => dim ?? 1);
}

/** Floats and bytes get random values, everything else zeros or empty strings: a number may be an index. */
function makeUp(spec: TensorSpec): Tensor {
  const shape = shapeFor(spec);
  const count = elementCount(shape);
  if (spec.dtype === 'string')
    return createTensor('string', shape, new Array<Uint8Array>(count).fill(new Uint8Array()));
  const { values, bytes } = allocate(spec.dtype, count);
  if (spec.dtype === 'float32' || spec.dtype === 'float64') {
    for (let i = 0; i < count; i++) values[i] = Math.random();
  } else if (spec.dtype === 'uint8') {
    for (let i = 0; i < count; i++) values[i] = Math.floor(Math.random() * 256);
  }
  return createTensor(spec.dtype, shape, bytes);
}
