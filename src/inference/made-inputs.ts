/** Makes tensors that take a while before the core call, which cannot wait for them. */
import { type InferBody, inputNames, isTyped, tensorsInSteps, toTensors } from '../codec/infer-body.js';
import type { WireLimits } from '../codec/wire.js';
import type { Signature } from '../engines/signature.js';
import type { Claim } from '../flow/steps.js';
import { runInTurns } from '../flow/turns.js';
import type { PredictRequest } from '../serving/predict.js';
import type { Servable } from '../serving/servable.js';
import { disposeTensors, type NamedTensors } from '../tfjs/tensors.js';

/** The inputs of a core call, made from a request. */
export type Inputs = Pick<PredictRequest, 'inputs' | 'inputNames' | 'signature' | 'outputs'>;

/** The inputs of a request whose tensors are there already. */
export function inputsOf(request: InferBody, limits: WireLimits): Inputs {
  return {
    signature: request.signature,
    inputs: (signature) => toTensors(request, signature, limits),
    inputNames: (signature) => inputNames(request, signature),
    outputs: request.outputs,
  };
}

/**
 * Makes the inputs of a request for the signature that it means, and then makes the call. If another version with
 * another signature has come meanwhile, the inputs are made again.
 *
 * @param find returns the version that is meant now; it throws if there is none, and the call then reports that
 * @param call takes the tensors at once if it takes them at all
 */
export async function withInputs<Result>(
  request: InferBody,
  { limits, claim, find }: { limits: WireLimits; claim: Claim; find: () => Servable },
  call: (inputs: Inputs) => Result,
): Promise<Awaited<Result>> {
  for (;;) {
    const signature = signatureMeant(find, request);
    if (!signature) return await call(inputsOf(request, limits));
    const made = await MadeInputs.make(request, signature, limits, claim);
    try {
      if (signatureMeant(find, request) !== signature) continue;
      return await call({ ...inputsOf(request, limits), inputs: () => made.take() });
    } finally {
      made.dispose();
    }
  }
}

/** True if the tensors are there already and only need names. */
export function areReady(request: InferBody, find: () => Servable): boolean {
  return isTyped(request) && signatureMeant(find, request)?.composites === undefined;
}

function signatureMeant(find: () => Servable, { signature }: InferBody): Signature | undefined {
  try {
    return find().signature(signature);
  } catch {
    return undefined;
  }
}

class MadeInputs {
  private constructor(
    private tensors: NamedTensors | undefined,
    private readonly failure: unknown,
  ) {}

  /** Never rejects. An error in the inputs is thrown when somebody takes them. */
  static async make(
    request: InferBody,
    signature: Signature,
    limits: WireLimits,
    claim: Claim,
  ): Promise<MadeInputs> {
    try {
      return new MadeInputs(await runInTurns(tensorsInSteps(request, signature, limits, claim)), undefined);
    } catch (error) {
      return new MadeInputs(undefined, error);
    }
  }

  /** Hands the tensors over, once. @throws the error in the inputs */
  take(): NamedTensors {
    const { tensors } = this;
    if (!tensors) throw this.failure;
    this.tensors = undefined;
    return tensors;
  }

  /** Disposes the tensors that nobody took. */
  dispose(): void {
    if (this.tensors) disposeTensors(this.tensors);
    this.tensors = undefined;
  }
}
