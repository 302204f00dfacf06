/**
 * The beginning of every prediction, of one answer or of many: a version is held, a signature chosen, and inputs match it.
 */
import { callerOutputs, fetchedOutputs } from '../engines/composite.js';
import type { Signature } from '../engines/signature.js';
import { quoted, ServingError } from '../errors.js';
import { disposeTensors, type NamedTensors } from '../tfjs/tensors.js';
import { type MatchedInputs, matchInputs } from './match.js';
import { refusedInputs } from './refused-inputs.js';
import type { Servable } from './servable.js';

/** What a request asks of a version. */
export interface ModelRequest {
  /** A signature's name; the model's default one if left out. */
  readonly signature?: string | undefined;
  /**
   * The input tensors for a signature, made on demand: only the signature says which dtype a plain number has. They are
   * disposed when the run has ended.
   */
  readonly inputs: (signature: Signature) => NamedTensors;
  /** The names that the caller sent, also those that the signature does not have. */
  readonly inputNames: (signature: Signature) => Iterable<string>;
  /** Outputs to give; all by default. */
  readonly outputs?: readonly string[] | undefined;
}

/** Holds its version and its tensors until {@link release}. */
export class Admitted {
  readonly signature: Signature;
  /** The outputs that are asked for, as the graph has them; all if undefined. */
  readonly outputs: readonly string[] | undefined;
  private readonly tensors: NamedTensors;
  private readonly matched: MatchedInputs;

  /** @throws ServingError NOT_FOUND for a signature that is not there, INVALID_ARGUMENT for unknown inputs or outputs */
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
      throw refusedInputs(error, signature);
    }
    this.tensors = tensors;
    servable.acquire();
  }

  /** As the graph takes them: a sample has become a batch of one. */
  get inputs(): NamedTensors {
    return this.matched.inputs;
  }

  /** True if the caller sent one sample without a batch dim, and wants its outputs so. */
  get single(): boolean {
    return this.matched.single;
  }

  /** Nothing uses the inputs any more. Once. */
  release(): void {
    this.matched.dispose();
    disposeTensors(this.tensors);
    this.servable.release();
  }
}

/** @throws ServingError NOT_FOUND with those there are */
export function chooseSignature(servable: Servable, name: string | undefined): Signature {
  const { signatures } = servable.model;
  const signature = name === undefined ? servable.defaultSignature : signatures.get(name);
  if (signature) return signature;
  const known = [...signatures.keys()].map((each) => `\`${each}\``).join(', ');
  const what = name === undefined ? 'has no default signature: name one' : `has no signature ${quoted(name)}`;
  throw new ServingError(
    'NOT_FOUND',
    `model \`${servable.id.model}\` ${what}; it has ${known || 'none that can be served'}`,
  );
}

/** @throws ServingError INVALID_ARGUMENT with those there are; a handler need not say its outputs beforehand */
function checkOutputs(signature: Signature, names: readonly string[] | undefined): void {
  if (names === undefined) return;
  const specs = callerOutputs(signature);
  // To look up thousands of long names that came for the first time would take 30 ms: lengths are looked at first.
  const lengths = new Set(Array.from(specs.keys(), ({ length }) => length));
  const isKnown = (name: string) => lengths.has(name.length) && specs.has(name);
  const unknown = specs.size > 0 ? names.filter((name) => !isKnown(name)) : [];
  if (unknown.length === 0 && names.length !== 0) return;
  throw new ServingError(
    'INVALID_ARGUMENT',
    `${unknown.length > 0 ? noOutputs(unknown) : '`outputs` is empty'}; \`${signature.name}\` gives ${listed([...specs.keys()])}`,
  );
}

/** More names than anybody reads. */
const mostNamed = 10;

/** `no output `a`, `b`` */
export function noOutputs(names: readonly string[]): string {
  const more = names.length > mostNamed ? ` and ${names.length - mostNamed} more` : '';
  return `no output ${names.slice(0, mostNamed).map(quoted).join(', ')}${more}`;
}

function listed(names: readonly string[]): string {
  return names.map((each) => `\`${each}\``).join(', ');
}
