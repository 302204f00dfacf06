/**
 * The one core call: every surface decodes into it and encodes what it gives.
 */
import { quoted, ServingError } from '../errors.js';
import type { Signature } from '../runtime/signature.js';
import { disposeTensors, type NamedTensors } from '../runtime/tensors.js';
import type { BatchResult } from './batcher.js';
import type { Cancellation } from './cancellation.js';
import { matchInputs } from './match.js';
import type { Servable, ServableId } from './servable.js';
import type { Table, Target } from './table.js';
import { within } from './within.js';

export interface PredictRequest {
  readonly target: Target;
  /** A signature's name; the model's default one if left out. */
  readonly signature?: string | undefined;
  /**
   * The input tensors for a signature, made on demand: only the signature says which dtype a plain number has. They are
   * disposed when the run has ended.
   */
  readonly inputs: (signature: Signature) => NamedTensors;
  /** The names that the caller sent, also those that the signature does not have. */
  readonly inputNames: Iterable<string>;
  /** Outputs to give; all by default. */
  readonly outputs?: readonly string[] | undefined;
  /** When the caller stops waiting, in milliseconds of the monotonic clock. */
  readonly deadline: number;
  /** Cancelled when the caller goes away: what no run has taken is not run. */
  readonly cancellation: Cancellation;
  /** Called once nothing uses the inputs any more, which may be after the caller was answered. */
  readonly settled?: (() => void) | undefined;
}

export interface PredictResult extends ServableId, BatchResult {}

/**
 * Runs one request on the servable that the table gives now; a swap meanwhile does not touch it.
 *
 * @throws ServingError
 */
export async function predict(table: Table, request: PredictRequest): Promise<PredictResult> {
  return withDeadline(runOnce(table, request), request);
}

/** Holds the servable until the run ends, even if the caller is answered before. */
async function runOnce(table: Table, request: PredictRequest): Promise<PredictResult> {
  try {
    const servable = table.find(request.target);
    servable.acquire();
    try {
      return await runOn(servable, request);
    } finally {
      servable.release();
    }
  } finally {
    request.settled?.();
  }
}

async function runOn(servable: Servable, request: PredictRequest): Promise<PredictResult> {
  const signature = chooseSignature(servable, request.signature);
  checkOutputs(signature, request.outputs);
  const inputs = request.inputs(signature);
  try {
    const matched = matchInputs(servable.id.model, signature, inputs, request.inputNames);
    try {
      const { outputs, deadline, cancellation } = request;
      const { inputs: feeds, single } = matched;
      const batcher = servable.batcher(signature);
      const result = await batcher.run({ inputs: feeds, single, outputs, deadline, cancellation });
      return { ...servable.id, ...result };
    } finally {
      matched.dispose();
    }
  } finally {
    disposeTensors(inputs);
  }
}

function chooseSignature(servable: Servable, name: string | undefined): Signature {
  const { signatures } = servable.loaded;
  const signature = name === undefined ? servable.defaultSignature : signatures.get(name);
  if (signature) return signature;
  const known = [...signatures.keys()].map((each) => `\`${each}\``).join(', ');
  const what = name === undefined ? 'has no default signature: name one' : `has no signature ${quoted(name)}`;
  throw new ServingError(
    'NOT_FOUND',
    `model \`${servable.id.model}\` ${what}; it has ${known || 'none that can be served'}`,
  );
}

function checkOutputs(signature: Signature, names: readonly string[] | undefined): void {
  const unknown = names?.find((name) => !signature.outputs.has(name));
  if (unknown === undefined && names?.length !== 0) return;
  const known = [...signature.outputs.keys()].map((each) => `\`${each}\``).join(', ');
  const what = unknown === undefined ? '`outputs` is empty' : `no output ${quoted(unknown)}`;
  throw new ServingError('INVALID_ARGUMENT', `${what}; \`${signature.name}\` gives ${known}`);
}

/** The result, or DEADLINE_EXCEEDED at the deadline; a result that comes later is disposed. */
async function withDeadline(run: Promise<PredictResult>, request: PredictRequest): Promise<PredictResult> {
  const { deadline, cancellation } = request;
  let expired = false;
  run.then(
    ({ outputs }) => expired && disposeTensors(outputs),
    () => {},
  );
  return within((deadline - performance.now()) / 1000, run, () => {
    expired = true;
    cancellation.cancel(tooLate);
    return tooLate();
  });
}

function tooLate(): ServingError {
  return new ServingError('DEADLINE_EXCEEDED', 'the request was not answered within its time');
}
