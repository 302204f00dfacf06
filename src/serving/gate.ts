/**
 * The gate before a swap: a version must run, not only load.
 *
 * With the requests that its publisher put beside it, each of which must succeed; without them, once with made-up
 * inputs. Those may be invalid for a good model, so only errors that are the model's own refuse it; and only the default
 * signature is run with them, since another may train.
 */
import { type ErrorCode, messageOf, ServingError } from '../errors.js';
import type { WarmupRequest } from '../repository/warmup-requests.js';
import { elementCount } from '../runtime/dtypes.js';
import type { InferenceModel } from '../runtime/runtime.js';
import type { Signature } from '../runtime/signature.js';
import { createTensor, disposeTensors, type Tensor } from '../runtime/tensors.js';
import { makeRow, rowShape, runBeforehand } from './beforehand.js';
import { HandlerError } from './handled.js';
import { matchInputs } from './match.js';

/** Uninitialised variables, missing tables, missing or unfinished operations: no input can mend these. */
const modelsOwnFaults: ReadonlySet<ErrorCode> = new Set([
  'FAILED_PRECONDITION',
  'NOT_FOUND',
  'UNIMPLEMENTED',
  'INTERNAL',
]);

/** Made-up inputs larger than this are not tried. */
const maxElements = 2 ** 26;

export interface GateOptions {
  /** For all runs together, in milliseconds of the monotonic clock. */
  readonly deadline: number;
  readonly defaultSignature: Signature | undefined;
  /** The publisher's own, if there are any. */
  readonly requests: readonly WarmupRequest[] | undefined;
}

/**
 * Runs the model before anybody else does.
 *
 * @returns why nothing can be said of the model, or undefined if it ran
 * @throws ServingError if the model cannot serve
 */
export async function warmUp(model: InferenceModel, options: GateOptions): Promise<string | undefined> {
  const { requests, deadline, defaultSignature } = options;
  if (requests) {
    for (const [index, request] of requests.entries()) {
      await runRequest(model, request, defaultSignature, deadline).catch((error: unknown) => {
        throw new ServingError(
          codeOf(error),
          `record ${index} of tf_serving_warmup_requests failed: ${messageOf(error)}`,
        );
      });
    }
    return undefined;
  }
  if (!defaultSignature) return 'could not be warmed up: no default signature';
  const specs = [...defaultSignature.inputs.values()];
  if (specs.some((spec) => elementCount(rowShape(spec)) > maxElements)) {
    return 'could not be warmed up: its inputs are too large to make up';
  }
  try {
    const inputs = new Map(specs.map((spec) => [spec.name, makeRow(spec)]));
    const { outputs } = await runBeforehand(model, defaultSignature, [inputs], { deadline });
    disposeTensors(outputs);
    return undefined;
  } catch (error) {
    // A handler may have its reasons, too; one that wants to be strict has a warm-up of its own.
    const isUnclear = error instanceof HandlerError || !modelsOwnFaults.has(codeOf(error));
    if (error instanceof ServingError && isUnclear) {
      return `could not be warmed up: ${messageOf(error)}`;
    }
    throw error;
  }
}

function codeOf(error: unknown): ErrorCode {
  return error instanceof ServingError ? error.code : 'INTERNAL';
}

async function runRequest(
  model: InferenceModel,
  request: WarmupRequest,
  defaultSignature: Signature | undefined,
  deadline: number,
): Promise<void> {
  const signature = request.signature === '' ? defaultSignature : model.signatures.get(request.signature);
  if (!signature) throw new ServingError('NOT_FOUND', `no signature \`${request.signature}\``);
  const inputs = new Map<string, Tensor>();
  for (const [name, { dtype, shape, data }] of request.inputs)
    inputs.set(name, createTensor(dtype, shape, data));
  try {
    matchInputs('this version', signature, inputs, inputs.keys()).dispose();
  } catch (error) {
    disposeTensors(inputs);
    throw error;
  }
  const selection = request.outputs.length > 0 ? request.outputs : undefined;
  const { outputs } = await runBeforehand(model, signature, [inputs], { outputs: selection, deadline });
  disposeTensors(outputs);
}
