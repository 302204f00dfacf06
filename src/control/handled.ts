/**
 * What the control plane knows of handlers. A version may have a handler. The server then runs the handler in place of the model.
 */

import type { InferenceModel } from '../engines/inference-model.js';
import type { MetaGraph, Signature } from '../engines/signature.js';
import { ServingError } from '../errors.js';
import type { Batcher } from '../serving/queue/batcher.js';

/** A model as it is opened for a version. */
export interface OpenedModel {
  readonly model: InferenceModel;
  readonly metaGraph: MetaGraph;
  readonly parameterCount: number;
}

/** How a handler gets what is behind it. */
export interface HandlerHost {
  readonly model: string;
  readonly version: number;
  /** Its files. */
  readonly directory: string;
  /** A model of a known format lies beside the handler. */
  readonly holdsModel: boolean;
  /** @throws ServingError saying why it cannot be served */
  openModel(directory: string, tags?: readonly string[]): Promise<OpenedModel>;
  /** Queues for a model that is asked from within another's run, on the evidence of made-up rows. */
  makeBatchers(
    model: InferenceModel,
    defaultSignature: Signature | undefined,
  ): Promise<ReadonlyMap<Signature, Batcher>>;
  chooseDefault(signatures: ReadonlyMap<string, Signature>): Signature | undefined;
}

/** A version's handler, loaded. */
export interface HandledVersion {
  readonly model: InferenceModel;
  readonly parameterCount: number;
  /** Why each request runs by itself, in words; undefined if the handler takes batches. */
  readonly whyNotBatched: string | undefined;
  /** Why a run may change the answers of later ones, if a model behind the handler keeps something. */
  readonly whyKept: string | undefined;
  /** Its own warm-up, if it has one. */
  readonly warmup: (() => Promise<void>) | undefined;
}

export interface HandlerLoader {
  /** @throws ServingError, or what the handler's `load` throws, with its place */
  open(file: string, host: HandlerHost): Promise<HandledVersion>;
}

/** A handler failed at a request: told as INTERNAL, the rest is in the log. */
export class HandlerFault extends ServingError {
  /** @param details what it failed with, and where in its files */
  constructor(
    model: string,
    readonly details: string,
    options: ErrorOptions,
  ) {
    super('INTERNAL', `the handler of \`${model}\` failed; the log has the details`, options);
  }
}
