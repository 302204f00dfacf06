/**
 * The one core call: every surface decodes into it and encodes what it gives.
 */

import { callerOutputs, fetchedOutputs } from '../engines/composite.js';
import type { CompositeSpec, Signature } from '../engines/signature.js';
import { quoted, ServingError } from '../errors.js';
import type { Cancellable, Cancellation } from '../flow/cancellation.js';
import { Deadlines, Waiting } from '../flow/deadlines.js';
import { disposeTensors, type NamedTensors } from '../tfjs/tensors.js';
import type { ServableId } from './deployment.js';
import { type MatchedInputs, matchInputs } from './match.js';
import type { Batcher, BatchResult, Entry, QueuedRequest } from './queue/batcher.js';
import { withRows } from './queue/row-counts.js';
import { refusedInputs } from './refused-inputs.js';
import type { Servable } from './servable.js';
import type { Table, Target } from './table.js';

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
  readonly inputNames: (signature: Signature) => Iterable<string>;
  /** Outputs to give; all by default. */
  readonly outputs?: readonly string[] | undefined;
  /** When the caller stops waiting, in milliseconds of the monotonic clock. */
  readonly deadline: number;
  /** Cancelled when the caller goes away: what no run has taken is not run. */
  readonly cancellation: Cancellation;
  /** Models whose handlers' calls it is within, outermost first. */
  readonly callers?: readonly string[] | undefined;
  /** Called once nothing uses the inputs any more, which may be after the caller was answered. */
  readonly settled?: (() => void) | undefined;
}

export interface PredictResult extends ServableId, BatchResult {
  /** The sparse and ragged outputs of the signature, whose components are among the outputs; undefined if it has none. */
  readonly composites: ReadonlyMap<string, CompositeSpec> | undefined;
}

const deadlines = new Deadlines();

/**
 * Runs one request on the servable that the table gives now; a swap meanwhile does not touch it.
 *
 * @throws ServingError (rejects) DEADLINE_EXCEEDED at the deadline, even if the run goes on; the reason of a cancellation
 */
export function predict(table: Table, request: PredictRequest): Promise<PredictResult> {
  return new Promise((resolve, reject) => {
    new Call(request, resolve, reject).start(table);
  });
}

/** A request from its start to the end of its run, which may be after its answer. */
class Call extends Waiting implements QueuedRequest, Cancellable {
  private servable: Servable | undefined;
  private tensors: NamedTensors | undefined;
  private matched: MatchedInputs | undefined;
  /** Set once the inputs match it. */
  private signature: Signature | undefined;
  private batcher: Batcher | undefined;
  private entry: Entry | undefined;
  private answered = false;
  /** The outputs that are asked for, as the graph has them. */
  private fetched: readonly string[] | undefined;
  private composites: ReadonlyMap<string, CompositeSpec> | undefined;

  constructor(
    private readonly request: PredictRequest,
    private readonly resolve: (result: PredictResult) => void,
    private readonly reject: (error: unknown) => void,
  ) {
    super();
  }

  get inputs(): NamedTensors {
    return (this.matched as MatchedInputs).inputs;
  }

  get single(): boolean {
    return (this.matched as MatchedInputs).single;
  }

  get outputs(): readonly string[] | undefined {
    return this.fetched;
  }

  get deadline(): number {
    return this.request.deadline;
  }

  get callers(): readonly string[] | undefined {
    return this.request.callers;
  }

  start(table: Table): void {
    const { request } = this;
    try {
      const servable = table.find(request.target);
      servable.acquire();
      this.servable = servable;
      const signature = chooseSignature(servable, request.signature);
      checkOutputs(signature, request.outputs);
      this.fetched = fetchedOutputs(signature, request.outputs);
      this.composites = signature.composites?.outputs;
      this.takeInputs(servable, signature);
      this.signature = signature;
      this.batcher = servable.batcher(signature);
      this.entry = this.batcher.submit(this);
    } catch (error) {
      this.failed(error);
      return;
    }
    deadlines.add(this);
    request.cancellation.follow(this);
  }

  /** @throws RefusedInputs */
  private takeInputs(servable: Servable, signature: Signature): void {
    const { request } = this;
    try {
      this.tensors = request.inputs(signature);
      this.matched = matchInputs(servable.id.model, signature, this.tensors, request.inputNames(signature));
    } catch (error) {
      throw refusedInputs(error, signature);
    }
  }

  expire(): void {
    this.cancel(tooLate);
  }

  succeeded({ outputs, queueMicros, runMicros, batchSize }: BatchResult): void {
    const { model, version, generation } = (this.servable as Servable).id;
    const { composites } = this;
    this.end();
    if (this.answered) disposeTensors(outputs);
    else this.resolve({ model, version, generation, outputs, composites, queueMicros, runMicros, batchSize });
    this.answered = true;
  }

  failed(error: unknown): void {
    const { answered, signature } = this;
    // While the inputs are there.
    const reason = answered || !signature ? error : withRows(error, signature, this.inputs);
    this.end();
    if (!answered) this.reject(reason);
    this.answered = true;
  }

  /** Answers now. What no run has taken is not run; a run goes on, and what it gives is thrown away. */
  cancel(makeReason: () => ServingError): void {
    if (this.answered) return;
    const { batcher, entry } = this;
    if (batcher && entry && batcher.withdraw(entry)) this.end();
    this.answered = true;
    this.reject(makeReason());
  }

  /** Nothing uses the inputs any more. */
  private end(): void {
    deadlines.delete(this);
    this.request.cancellation.end();
    this.matched?.dispose();
    if (this.tensors) disposeTensors(this.tensors);
    this.servable?.release();
    this.request.settled?.();
  }
}

function tooLate(): ServingError {
  return new ServingError('DEADLINE_EXCEEDED', 'the request was not answered within its time');
}

/** @throws ServingError NOT_FOUND with those there are */
export function chooseSignature(servable: Servable, name: string | undefined): Signature {
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

/** @throws ServingError INVALID_ARGUMENT with those there are; a handler need not say its outputs beforehand */
export function checkOutputs(signature: Signature, names: readonly string[] | undefined): void {
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
