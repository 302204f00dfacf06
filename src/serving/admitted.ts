/**
 * The beginning of every prediction, of one answer or of many: it holds a version, chooses a signature, and matches the
 * inputs with it.
 */
import { callerOutputs, fetchedOutputs } from '../engines/composite.js';
import type { Signature } from '../engines/signature.js';
import { listed, quoted, ServingError } from '../errors.js';
import { disposeTensors, type NamedTensors } from '../tfjs/tensors.js';
import { type MatchedInputs, matchInputs } from './match.js';
import { withSignature } from './refused-inputs.js';
import type { Servable } from './servable.js';

/** What a request asks of a version. */
export interface ModelRequest {
  /** The name of a signature; the model's default one if absent. */
  readonly signature?: string | undefined;
  /**
   * Makes the input tensors for a signature. They are made on demand, because only the signature says which dtype a
   * plain number has. They are disposed when the run has ended.
   */
  readonly inputs: (signature: Signature) => NamedTensors;
  /** The names that the caller sent, including those that the signature lacks. */
  readonly inputNames: (signature: Signature) => Iterable<string>;
  /** The outputs to return; all by default. */
  readonly outputs?: readonly string[] | undefined;
}

/** A request that was admitted. It holds its version and its tensors until {@link release}. */
export class Admitted {
  readonly signature: Signature;
  /** The requested outputs by the names of the graph; undefined for all. */
  readonly outputs: readonly string[] | undefined;
  private readonly tensors: NamedTensors;
  private readonly matched: MatchedInputs;

  /**
   * @throws ServingError NOT_FOUND for a signature that does not exist, INVALID_ARGUMENT for unknown inputs or outputs
   */
  constructor(
    readonly servable: Servable,
    request: ModelRequest,
  ) {
    const signature = chooseSignature(servable, request.signature);
    checkOutputs(signature, request.outputs);
    this.signature = signature;
    this.outputs = fetchedOutputs(signature, request.outputs);
    let tensors: NamedTensors | undefined;
    try {
      tensors = request.inputs(signature);
      this.matched = matchInputs(servable.id.model, signature, tensors, request.inputNames(signature));
    } catch (error) {
      if (tensors) disposeTensors(tensors);
      throw withSignature(error, signature);
    }
    this.tensors = tensors;
    servable.acquire();
  }

  /** The inputs as the graph takes them: a sample has become a batch of one. */
  get inputs(): NamedTensors {
    return this.matched.inputs;
  }

  /** True if the caller sent one sample without a batch dim, and wants its outputs in the same form. */
  get single(): boolean {
    return this.matched.single;
  }

  /** Releases the version and the tensors. It is called once, when nothing uses the inputs any more. */
  release(): void {
    this.matched.dispose();
    disposeTensors(this.tensors);
    this.servable.release();
  }
}

/** @throws ServingError NOT_FOUND with the signatures there are */
export function chooseSignature(servable: Servable, name: string | undefined): Signature {
  const signature = servable.signature(name);
  if (signature) return signature;
  const known = listed(servable.model.signatures.keys()) || 'none that can be served';
  const what = name === undefined ? 'has no default signature: name one' : `has no signature ${quoted(name)}`;
  throw new ServingError('NOT_FOUND', `model \`${servable.id.model}\` ${what}; it has ${known}`);
}

/** @throws ServingError INVALID_ARGUMENT with the outputs there are. A handler need not declare its outputs */
function checkOutputs(signature: Signature, names: readonly string[] | undefined): void {
  if (names === undefined) return;
  const specs = callerOutputs(signature);
  // Looking up thousands of long names for the first time would take 30 ms, so we compare lengths first.
  const lengths = new Set(Array.from(specs.keys(), ({ length }) => length));
  const isKnown = (name: string) => lengths.has(name.length) && specs.has(name);
  const unknown = specs.size > 0 ? names.filter((name) => !isKnown(name)) : [];
  if (unknown.length === 0 && names.length !== 0) return;
  throw new ServingError(
    'INVALID_ARGUMENT',
    `${unknown.length > 0 ? noOutputs(unknown) : '`outputs` is empty'}; \`${signature.name}\` gives ${listed(specs.keys())}`,
  );
}

/** Says `no output `a`, `b``. */
export function noOutputs(names: readonly string[]): string {
  return `no output ${listed(names, 10)}`;
}
