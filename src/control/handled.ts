/**
 * What the control plane knows of handlers. A version may have a handler. The server then runs the handler in place of the model.
 */

import type { InferenceModel } from '../engines/inference-model.js';
import type { MetaGraph, Signature } from '../engines/signature.js';
import { ServingError } from '../errors.js';
import type { Batcher } from '../serving/queue/batcher.js';

/** A model that was opened for a version. */
export interface OpenedModel {
  readonly model: InferenceModel;
  readonly metaGraph: MetaGraph;
  readonly parameterCount: number;
}

/** What a handler uses to get the model behind it. */
export interface HandlerHost {
  readonly model: string;
  readonly version: number;
  /** The folder with its files. */
  readonly directory: string;
  /** True if a model of a known format lies beside the handler. */
  readonly holdsModel: boolean;
  /** @throws ServingError saying why the model cannot be served */
  openModel(directory: string, tags?: readonly string[]): Promise<OpenedModel>;
  /**
   * Makes queues for a model that is asked from within another's run. Runs with made-up rows say whether requests may
   * share runs.
   */
  makeBatchers(
    model: InferenceModel,
    defaultSignature: Signature | undefined,
  ): Promise<ReadonlyMap<Signature, Batcher>>;
  chooseDefault(signatures: ReadonlyMap<string, Signature>): Signature | undefined;
}

/** A loaded handler of a version. */
export interface HandledVersion {
  readonly model: InferenceModel;
  readonly parameterCount: number;
  /** Why each request runs by itself, in words; undefined if the handler takes batches. */
  readonly whyNotBatched: string | undefined;
  /** Why a run may change the answers of later ones; undefined if no model behind the handler keeps anything. */
  readonly whyKept: string | undefined;
  /** The handler's own warm-up, if it has one. */
  readonly warmup: (() => Promise<void>) | undefined;
}

export interface HandlerLoader {
  /** @throws ServingError, or the error of the handler's `load` with its place */
  open(file: string, host: HandlerHost): Promise<HandledVersion>;
}

/** A handler failed. The caller gets INTERNAL, and the log has the details. */
export class HandlerFault extends ServingError {
  /** @param details say what it failed with, and where in its files */
  constructor(
    model: string,
    readonly details: string,
    options: ErrorOptions,
  ) {
    super('INTERNAL', `the handler of \`${model}\` failed; the log has the details`, options);
  }
}
