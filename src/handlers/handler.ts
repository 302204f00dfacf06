/// <reference types="koa-body" preserve="true" />
/**
 * What a handler is: a module by the owner of a model, in TypeScript or JavaScript. It does in tf.js what the model
 * itself does not do. Every part is optional. A handler exports its parts by name, or an object of them as its default.
 *
 * Inputs and outputs are `tf.Tensor`s with the batch dim in front, as the signature has them. A handler that runs for
 * each request sees one row where one sample was sent. tf.js shows uint8 as int32 and float16 as float32. The tensors
 * that a function makes are disposed after it has returned. What it returns is kept, so a handler need not tidy up.
 */
import type Router from '@koa/router';
import type * as tfjs from '@tensorflow/tfjs-node-gpu';
import type { PredictOptions } from '../inference/in-process.js';
import type { Logger } from '../telemetry/logger.js';
import type { Dtype } from '../tensors/dtypes.js';

/** Tensors by the names of inputs or outputs. */
export type Tensors = Readonly<Record<string, tfjs.Tensor>>;

/** The dtype and the shape of an input or output. */
export interface HandlerSpec {
  readonly dtype: Dtype;
  /**
   * The shape, with -1 for a size that differs between requests; as a rule that is the batch dim in front. Without a
   * shape, even the rank is unknown.
   */
  readonly shape?: readonly number[] | undefined;
}

/** The inputs and outputs that callers see, if they are not those of the model. */
export interface HandlerSignature {
  readonly inputs: Readonly<Record<string, HandlerSpec>>;
  readonly outputs?: Readonly<Record<string, HandlerSpec>> | undefined;
}

/** @typeParam Loaded is what {@link Handler.load} returns */
export interface Handler<Loaded = unknown> {
  /**
   * Called once, before the version serves. What it returns is `ctx.loaded` from then on. It may return a model, made
   * by `ctx.savedModel`, `tf.loadGraphModel`, `tf.loadLayersModel` or `tf.sequential`. That model takes the place of
   * the SavedModel beside the handler, which then need not exist. Tensors and variables made here live as long as the
   * version.
   */
  load?(ctx: LoadContext): Loaded | Promise<Loaded>;
  /** The signature that callers see. The default is that of the model. */
  readonly signature?: HandlerSignature;
  /** Turns the inputs that the caller sent into those that the model takes. */
  preprocess?(inputs: Tensors, ctx: HandlerContext<Loaded>): Tensors | Promise<Tensors>;
  /**
   * Runs in place of the model, which `ctx.run` still runs. An async generator streams: each value is an answer of its
   * own, and the generator is ended when the client leaves.
   */
  predict?(
    inputs: Tensors,
    ctx: HandlerContext<Loaded>,
  ): Tensors | Promise<Tensors> | AsyncGenerator<Tensors, void, void>;
  /** Turns the outputs of the model, or of `predict`, into those that the caller gets. */
  postprocess?(outputs: Tensors, ctx: HandlerContext<Loaded>): Tensors | Promise<Tensors>;
  /**
   * Calls the three functions above once for a batch of requests, not for each. The first dim is then that of the
   * batch.
   */
  readonly batch?: boolean;
  /** Runs in place of a warm-up with made-up inputs. If it throws, the version does not serve. */
  warmup?(ctx: HandlerContext<Loaded>): void | Promise<void>;
  /** Adds the handler's own endpoints below `/models/{name}`: `router.get('/labels', (koa) => { koa.body = … })`. */
  routes?(router: Router, ctx: HandlerContext<Loaded>): void;
}

/** What a handler gets while its version is loaded. */
export interface LoadContext {
  /** The tf.js that the server runs. `import * as tf from '@tensorflow/tfjs-node-gpu'` gives the same one. */
  readonly tf: typeof tfjs;
  readonly model: string;
  readonly version: number;
  /** The folder of the version. */
  readonly directory: string;
  readonly logger: Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;
  /** Loads a SavedModel, which {@link Handler.load} may return. @param path is relative to the folder of the version */
  savedModel(path: string, tags?: readonly string[]): Promise<object>;
}

/** What a handler gets with each call. */
export interface HandlerContext<Loaded = unknown> extends Omit<LoadContext, 'savedModel'> {
  readonly loaded: Loaded;
  /** Runs the version's own model, through its queue and in its batches. */
  run(
    inputs: Tensors,
    options?: { readonly signature?: string; readonly outputs?: readonly string[] },
  ): Promise<Tensors>;
  /** Asks a model of this server, as a request would. A model must not be asked from within its own call. */
  predict(request: Omit<PredictOptions, 'signal'>): Promise<Tensors>;
}
