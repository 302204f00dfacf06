/// <reference types="koa-body" preserve="true" />
/**
 * What a handler is: a module of a model's owner, in TypeScript or JavaScript, that does in tf.js what the model itself does
 * not. Everything in it is optional. It exports these by name, or an object of them as its default.
 *
 * Inputs and outputs are `tf.Tensor`s with the batch dim in front, as the signature has them; a handler that runs for
 * each request sees one row where one sample was sent. tf.js shows uint8 as int32 and float16 as float32. Tensors that a
 * function makes are disposed when it is over, and what it gives is taken first: there is nothing to tidy.
 */
import type Router from '@koa/router';
import type * as tfjs from '@tensorflow/tfjs-node-gpu';
import type { PredictOptions } from '../inference/in-process.js';
import type { Logger } from '../telemetry/logger.js';
import type { Dtype } from '../tensors/dtypes.js';

/** Tensors by the names of inputs or outputs. */
export type Tensors = Readonly<Record<string, tfjs.Tensor>>;

/** Dtype and shape of an input or output. */
export interface HandlerSpec {
  readonly dtype: Dtype;
  /** -1 for a size that is settled per request: the batch dim in front, as a rule. Left out: not even the rank is known. */
  readonly shape?: readonly number[] | undefined;
}

/** What callers send and get, where that is not what the model takes and gives. */
export interface HandlerSignature {
  readonly inputs: Readonly<Record<string, HandlerSpec>>;
  readonly outputs?: Readonly<Record<string, HandlerSpec>> | undefined;
}

/** @typeParam Loaded what {@link Handler.load} gives */
export interface Handler<Loaded = unknown> {
  /**
   * Called once, before the version serves. What it gives is `ctx.loaded` from then on. If that is a model, of
   * `ctx.savedModel`, `tf.loadGraphModel`, `tf.loadLayersModel` or `tf.sequential`, it takes the place of the SavedModel beside the
   * handler, which need not exist then. Tensors and variables made here live as long as the version.
   */
  load?(ctx: LoadContext): Loaded | Promise<Loaded>;
  /** By default that of the model. */
  readonly signature?: HandlerSignature;
  /** Inputs as the caller sent them, to inputs as the model takes them. */
  preprocess?(inputs: Tensors, ctx: HandlerContext<Loaded>): Tensors | Promise<Tensors>;
  /**
   * In place of the model, which `ctx.run` still runs. As an async generator it streams: each value is an answer of its own,
   * and the generator is ended when the client leaves.
   */
  predict?(
    inputs: Tensors,
    ctx: HandlerContext<Loaded>,
  ): Tensors | Promise<Tensors> | AsyncGenerator<Tensors, void, void>;
  /** Outputs of the model, or of `predict`, to outputs as the caller gets them. */
  postprocess?(outputs: Tensors, ctx: HandlerContext<Loaded>): Tensors | Promise<Tensors>;
  /** The three above are called for a batch of requests, not for each. Their first dim is then that of the batch. */
  readonly batch?: boolean;
  /** In place of a run with made-up inputs; a version whose warm-up throws does not serve. */
  warmup?(ctx: HandlerContext<Loaded>): void | Promise<void>;
  /** Endpoints of one's own, below `/models/{name}`: `router.get('/labels', (koa) => { koa.body = … })`. */
  routes?(router: Router, ctx: HandlerContext<Loaded>): void;
}

/** What a handler is given while its version is loaded. */
export interface LoadContext {
  /** The tf.js that the server runs; `import * as tf from '@tensorflow/tfjs-node-gpu'` gives the same. */
  readonly tf: typeof tfjs;
  readonly model: string;
  readonly version: number;
  /** The version's folder. */
  readonly directory: string;
  readonly logger: Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;
  /** Loads a SavedModel, to be given back by {@link Handler.load}. @param path relative to the version's folder */
  savedModel(path: string, tags?: readonly string[]): Promise<object>;
}

/** What a handler is given with each call. */
export interface HandlerContext<Loaded = unknown> extends Omit<LoadContext, 'savedModel'> {
  readonly loaded: Loaded;
  /** Runs the version's own model, behind its queue and in its batches. */
  run(
    inputs: Tensors,
    options?: { readonly signature?: string; readonly outputs?: readonly string[] },
  ): Promise<Tensors>;
  /** Asks a model that the server serves, as a request would. A model that is asked from within its own call is an error. */
  predict(request: Omit<PredictOptions, 'signal'>): Promise<Tensors>;
}
