/** A loaded model: what an engine gives, and what everything above the engines knows. */
import type { Padding } from '../tfjs/rows.js';
import type { NamedTensors } from '../tfjs/tensors.js';
import type { Microseconds, Seconds } from '../time.js';
import type { HandlerFacts, ModelRoutes } from './model-handler.js';
import type { Signature } from './signature.js';

/** How an engine computes a model, if it differs from what the model itself says. */
export interface ComputeMode {
  /** True if models are compiled, once for each shape of their inputs. */
  readonly xla: boolean;
  /** The narrower dtype that replaces float32 where that is safe; undefined if none does. */
  readonly mixedPrecision: 'float16' | 'bfloat16' | undefined;
}

/** Compiles nothing, and computes in the dtypes of the model. */
export const plainMode: ComputeMode = { xla: false, mixedPrecision: undefined };

/** The result of a run of an engine. */
export interface EngineRun {
  /** The outputs by their names, at least those that were asked for. The caller disposes them. */
  readonly outputs: NamedTensors;
  /** The microseconds between the call and the start of the run. They are 0 if left out. */
  readonly queueMicros?: Microseconds | undefined;
  /**
   * The microseconds of computing. Queues use them to choose the size of batches, and the place where runs are made. If
   * they are left out, the whole time of the call counts.
   */
  readonly runMicros?: Microseconds | undefined;
}

/** The outputs of a run, and where its time went. */
export interface RunResult extends EngineRun {
  readonly queueMicros: Microseconds;
  readonly runMicros: Microseconds;
}

/** The options of a run. */
export interface RunOptions {
  /** The names of the outputs to return; all outputs of the signature by default. */
  readonly outputs?: readonly string[] | undefined;
  /**
   * The seconds after which the engine is asked to give up the run. It does so only in runs that are spread over
   * threads.
   */
  readonly timeoutSeconds?: Seconds | undefined;
  /** Lets all other runs go first. Warm-ups use it. */
  readonly background?: boolean | undefined;
  /** Rows to add after those of the members. */
  readonly padding?: Padding | undefined;
  /** The models whose handlers' calls this run is within, outermost first. */
  readonly callers?: readonly string[] | undefined;
}

/** A model that an engine has loaded. Only `predict` must be there. `checked-model.ts` fills in the rest. */
export interface EngineModel {
  /** Describes the model for people: `TensorFlow SavedModel`. Left out, it is the name of the engine's format. */
  readonly type?: string | undefined;
  /**
   * The name of the format for programs, as other servers write it: `tensorflow_savedmodel`. Left out, it is
   * {@link type}.
   */
  readonly platform?: string | undefined;
  /** How the model is computed. Left out, it is computed as the model itself says. */
  readonly mode?: ComputeMode | undefined;
  /** True while runs by {@link predict} are recorded. Runs by {@link predictHere} are never recorded. */
  readonly isTraced?: boolean | undefined;

  /**
   * Runs one signature once, for one or several requests.
   *
   * @param signature is one of the model's: the very object that the engine gave
   * @param members has, for each request, a tensor for every input, with the dtypes and shapes of the specs. The
   * tensors of several members are joined along the first dim, and must agree in the others. They still belong to the
   * caller.
   * @returns the outputs of all members together. If rows stay apart, there is a row for each row of the inputs, and
   * behind them one for each row of `options.padding`
   * @throws ServingError (rejects) with the engine's code and message when the run fails. The text of any other error
   * stays in the log
   */
  predict(signature: Signature, members: readonly NamedTensors[], options?: RunOptions): Promise<EngineRun>;

  /**
   * Does the same as {@link predict}, on the calling thread, which is blocked until the end. It suits runs that are
   * shorter than the way to another thread. If it is left out, all runs are made by {@link predict}.
   *
   * @throws ServingError with the engine's code and message when the run fails
   */
  predictHere?(
    signature: Signature,
    members: readonly NamedTensors[],
    options?: Pick<RunOptions, 'outputs' | 'padding'>,
  ): EngineRun;

  /**
   * Says why runs of a signature may take any time. Then {@link predictHere} is not called for it. It is undefined, or
   * left out, if all runs are bounded.
   */
  whyNotInline?(signature: Signature): string | undefined;

  /** Frees the model once its runs have ended. It is called once, and resolves when the memory is free. */
  dispose?(): Promise<void>;
}

export type StreamedRun = (
  signature: Signature,
  member: NamedTensors,
  options?: RunOptions,
) => AsyncGenerator<NamedTensors, void, void>;

/** A loaded model that any event loop of the process can run, as plain data. */
export interface SharedModel {
  /** The session of the addon. */
  readonly session: number;
  readonly signatures: ReadonlyMap<string, Signature>;
  readonly mode: ComputeMode;
}

/** A loaded model, as everything above the engines knows it: with its signatures, and nothing left out. */
export interface InferenceModel extends EngineModel {
  /** The signatures by their names. */
  readonly signatures: ReadonlyMap<string, Signature>;
  readonly type: string;
  readonly platform: string;
  readonly mode: ComputeMode;
  readonly isTraced: boolean;
  predict(signature: Signature, members: readonly NamedTensors[], options?: RunOptions): Promise<RunResult>;
  predictHere(
    signature: Signature,
    members: readonly NamedTensors[],
    options?: Pick<RunOptions, 'outputs' | 'padding'>,
  ): RunResult;
  whyNotInline(signature: Signature): string | undefined;
  /**
   * Gives one answer after another, in place of {@link predict}. The caller disposes them, and ends the generator when
   * nobody wants more. Left out, a request gets one answer.
   */
  readonly stream?: StreamedRun | undefined;
  /** The endpoints of its own. */
  readonly routes?: ModelRoutes | undefined;
  /** What the code around it has done; left out for a model without a handler. */
  readonly handler?: HandlerFacts | undefined;
  /** The model as other event loops open it. Left out, only the main thread runs it. */
  readonly shared?: SharedModel | undefined;
  dispose(): Promise<void>;
}
