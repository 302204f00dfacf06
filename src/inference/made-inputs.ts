/**
 * Tensors that take a while to make, made before the core call, which cannot wait for them.
 */
import { type InferBody, inputNames, isTyped, tensorsInSteps, toTensors } from '../codec/infer-body.js';
import type { WireLimits } from '../codec/wire.js';
import type { Signature } from '../engines/signature.js';
import type { Claim } from '../flow/steps.js';
import { runInTurns } from '../flow/turns.js';
import type { PredictRequest } from '../serving/predict.js';
import type { Servable } from '../serving/servable.js';
import { disposeTensors, type NamedTensors } from '../tfjs/tensors.js';

/** The inputs of a core call, made of a request. */
export type Inputs = Pick<PredictRequest, 'inputs' | 'inputNames' | 'signature' | 'outputs'>;

/** Of a request whose tensors are there already. */
export function inputsOf(request: InferBody, limits: WireLimits): Inputs {
  return {
    signature: request.signature,
    inputs: (signature) => toTensors(request, signature, limits),
    inputNames: (signature) => inputNames(request, signature),
    outputs: request.outputs,
  };
}

/**
 * Calls with the inputs of a request, once they are made for the signature that it means. If a version has come meanwhile
 * that has another, they are made again.
 *
 * @param find the version that is meant, now; throws if there is none, which is for the call to say
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

/** True if tensors are made at once: they came as such, and need only names. */
export function areReady(request: InferBody, find: () => Servable): boolean {
  return isTyped(request) && signatureMeant(find, request)?.composites === undefined;
}

function signatureMeant(find: () => Servable, { signature }: InferBody): Signature | undefined {
  try {
    const { defaultSignature, loaded } = find();
    return signature === undefined ? defaultSignature : loaded.signatures.get(signature);
  } catch {
    return undefined;
  }
}

class MadeInputs {
  private constructor(
    private tensors: NamedTensors | undefined,
    private readonly failure: unknown,
  ) {}

  /** Never rejects: what is wrong with the inputs is told to whoever takes them. */
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

  /** Hands the tensors over, once. @throws what is wrong with the inputs */
  take(): NamedTensors {
    const { tensors } = this;
    if (!tensors) throw this.failure;
    this.tensors = undefined;
    return tensors;
  }

  /** Gives back what nobody took. */
  dispose(): void {
    if (this.tensors) disposeTensors(this.tensors);
    this.tensors = undefined;
  }
}
