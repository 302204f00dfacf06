/**
 * The gate before a swap: a version must run, not only load.
 *
 * If its publisher put requests beside it, each of them must succeed. Otherwise it runs once with made-up inputs. These
 * may be invalid for a good model, so only an error that no other input would avoid refuses the version. Made-up inputs
 * run only the default signature, since another may train, and only if its runs change nothing for later ones.
 */
import path from 'node:path';
import { fetchedOutputs } from '../../engines/composite.js';
import type { WarmupRequest } from '../../engines/engine.js';
import type { InferenceModel } from '../../engines/inference-model.js';
import { RunError } from '../../engines/run-error.js';
import type { Signature } from '../../engines/signature.js';
import { type ErrorCode, messageOf, ServingError } from '../../errors.js';
import { matchInputs } from '../../serving/match.js';
import { elementCount } from '../../tensors/dtypes.js';
import { createTensor, disposeTensors, type Tensor } from '../../tfjs/tensors.js';
import type { Moment } from '../../time.js';
import { HandlerFault } from '../handled.js';
import { makeInputs } from './made-up-inputs.js';
import { rowShape, runBeforehand } from './made-up-runs.js';

/** Codes with which our own code or a handler refuses an input. A timeout does not blame the model either. */
const refusals: ReadonlySet<ErrorCode> = new Set([
  'INVALID_ARGUMENT',
  'OUT_OF_RANGE',
  'PAYLOAD_TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
  'DEADLINE_EXCEEDED',
]);

/** The most elements of made-up inputs. With more, the version is not run. */
const maxElements = 2 ** 26;

export interface GateOptions {
  /** The end of all runs together. */
  readonly deadline: Moment;
  readonly defaultSignature: Signature | undefined;
  /** The requests of the publisher, if there are any. */
  readonly requests: readonly WarmupRequest[] | undefined;
  /** Where the requests lie, or may be put, in the model's folder; undefined if the format has no place for them. */
  readonly requestsFile: string | undefined;
  /**
   * Why a run would change the answers of later ones; undefined if it would not. Then only the publisher's requests are
   * run.
   */
  readonly whyKept: string | undefined;
}

/**
 * Runs the model before anybody else does.
 *
 * @returns why nothing can be said of the model, or undefined if it ran
 * @throws ServingError if the model cannot serve
 */
export async function warmUp(model: InferenceModel, options: GateOptions): Promise<string | undefined> {
  const { requests, requestsFile, deadline, defaultSignature, whyKept } = options;
  const advice = requestsFile === undefined ? '' : `; to warm it up properly, add ${requestsFile}`;
  const notWarmedUp = (why: string) => `could not be warmed up: ${why}${advice}`;
  if (requests) {
    for (const [index, request] of requests.entries()) {
      await runRequest(model, request, defaultSignature, deadline).catch((error: unknown) => {
        const code = error instanceof ServingError ? error.code : 'INTERNAL';
        const reason = error instanceof HandlerFault ? error.details : messageOf(error);
        throw new ServingError(
          code,
          `record ${index} of ${path.posix.basename(requestsFile ?? 'its requests')} failed: ${reason}`,
        );
      });
    }
    return undefined;
  }
  if (whyKept !== undefined) {
    const instead =
      requestsFile === undefined ? '' : `; to run it with requests of yours, add ${requestsFile}`;
    return `was not warmed up: ${whyKept}, and made-up inputs would change its answers${instead}`;
  }
  if (!defaultSignature) return notWarmedUp('no default signature');
  const specs = [...defaultSignature.inputs.values()];
  // TensorFlow may end the process for an input of the wrong rank, and this rank is unknown.
  const unranked = specs.find(({ shape }) => shape === null);
  if (unranked) return notWarmedUp(`nobody knows the rank of input \`${unranked.name}\``);
  if (specs.some((spec) => elementCount(rowShape(spec)) > maxElements))
    return notWarmedUp('its inputs are too large to make up');
  try {
    const inputs = makeInputs(defaultSignature);
    const { outputs } = await runBeforehand(model, defaultSignature, [inputs], { deadline });
    disposeTensors(outputs);
    return undefined;
  } catch (error) {
    if (saysNothing(error)) return notWarmedUp(messageOf(error).split('\n', 1)[0] ?? '');
    if (!(error instanceof HandlerFault)) throw error;
    throw new ServingError(
      'FAILED_PRECONDITION',
      `its handler failed at a made-up input: ${error.details}; to refuse an input, throw a ServingError with ` +
        `INVALID_ARGUMENT; to warm up with inputs of your own, export \`warmup\`${requestsFile === undefined ? '' : ` or add ${requestsFile}`}`,
    );
  }
}

/** True for an error that other inputs might avoid. */
function saysNothing(error: unknown): boolean {
  if (error instanceof RunError) return !error.isModelsOwn;
  return error instanceof ServingError && refusals.has(error.code);
}

async function runRequest(
  model: InferenceModel,
  request: WarmupRequest,
  defaultSignature: Signature | undefined,
  deadline: Moment,
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
  const selection = fetchedOutputs(signature, request.outputs.length > 0 ? request.outputs : undefined);
  const { outputs } = await runBeforehand(model, signature, [inputs], { outputs: selection, deadline });
  disposeTensors(outputs);
}
