/**
 * A model with a handler around it. The rest of the server sees it as any other {@link InferenceModel}.
 *
 * A handler that runs for each request stands before the queue of the model behind it, so that requests share runs
 * there. A handler that takes batches stands behind the queue, and runs once for each batch.
 */
import type Router from '@koa/router';
import type { WireLimits } from '../codec/wire.js';
import { HandlerFault } from '../control/handled.js';
import {
  type ComputeMode,
  type InferenceModel,
  plainMode,
  type RunOptions,
  type RunResult,
  type StreamedRun,
} from '../engines/inference-model.js';
import type { HandlerFacts, ModelRoutes } from '../engines/model-handler.js';
import type { Signature } from '../engines/signature.js';
import { invalidArgument, ServingError } from '../errors.js';
import type { Batcher } from '../serving/queue/batcher.js';
import type { BatchResult } from '../serving/queue/queue-entry.js';
import { addToScope, TensorScope } from '../tfjs/tensor-scope.js';
import { disposeTensors, type NamedTensors } from '../tfjs/tensors.js';
import { type Moment, microsSince, momentAfter, now, type Seconds, secondsUntil } from '../time.js';
import type { ModelBlocking } from './blocking.js';
import type { Handler, HandlerContext, Tensors } from './handler.js';
import { checkTensors, takeOutputs, toGraphInputs, toObject, toTensors } from './handler-tensors.js';

/** The model that a handler stands before. */
export interface BehindHandler {
  readonly model: InferenceModel;
  readonly defaultSignature: Signature | undefined;
  /** The queues, for a handler that runs for each request. */
  readonly batchers: ReadonlyMap<Signature, Batcher>;
}

export interface HandledModelOptions {
  /** The name of the model. */
  readonly model: string;
  readonly handler: Handler<unknown>;
  readonly behind: BehindHandler | undefined;
  readonly signatures: ReadonlyMap<string, Signature>;
  readonly wireLimits: WireLimits;
  /** The part of the context that is the same for every call. */
  readonly context: Omit<HandlerContext<unknown>, 'run' | 'predict'>;
  /** Asks another model. @param callers are the models whose calls this one is within */
  readonly ask: (
    callers: readonly string[],
    request: Parameters<HandlerContext['predict']>[0],
  ) => Promise<Tensors>;
  /** The seconds that a request behind the handler may take, unless the request says otherwise. */
  readonly requestTimeout: () => Seconds;
  /** Logs an exception. @returns its text, with its place */
  readonly report: (error: unknown) => string;
  readonly blocking: ModelBlocking;
  /** Ends everything that lives as long as the version. */
  readonly dispose: () => Promise<void>;
}

export class HandledModel implements InferenceModel {
  readonly signatures: ReadonlyMap<string, Signature>;
  readonly stream: StreamedRun | undefined;
  routes: ModelRoutes | undefined;

  constructor(private readonly options: HandledModelOptions) {
    this.signatures = options.signatures;
    this.stream = isAsyncGenerator(options.handler.predict) ? this.answers.bind(this) : undefined;
  }

  get handler(): HandlerFacts {
    return { blocked: this.options.blocking.total, runsBehind: this.runsBehind };
  }

  /** Adds the handler's own endpoints. */
  addRoutes(router: Router): void {
    this.routes = {
      methodsOf: (path) => [...new Set(router.match(path, '').path.flatMap(({ methods }) => methods))],
      answer: (ctx) => this.answerRoute(async () => router.routes()(ctx as never, async () => {})),
    };
  }

  get mode(): ComputeMode {
    return this.options.behind?.model.mode ?? plainMode;
  }

  get isTraced(): boolean {
    return this.options.behind?.model.isTraced ?? false;
  }

  whyNotInline(): string {
    return 'it has a handler';
  }

  predictHere(): never {
    throw new Error('a handler is never run inline');
  }

  async predict(
    signature: Signature,
    members: readonly NamedTensors[],
    options: RunOptions = {},
  ): Promise<RunResult> {
    if (this.stream)
      throw new ServingError(
        'UNIMPLEMENTED',
        `\`${this.options.model}\` streams its answers: ask for them over HTTP`,
      );
    const started = now();
    const scope = new TensorScope();
    try {
      const inputs = toTensors(members, options, scope);
      const ctx = this.contextOf(signature, options);
      const outputs = await this.through(inputs, ctx, scope);
      const taken = takeOutputs(outputs, signature, options.outputs, this.options.wireLimits);
      return { outputs: taken, queueMicros: 0, runMicros: microsSince(started) };
    } catch (error) {
      throw this.failure(error);
    } finally {
      scope.dispose();
    }
  }

  /** Gives one answer after another. */
  private async *answers(
    signature: Signature,
    member: NamedTensors,
    options: RunOptions = {},
  ): AsyncGenerator<NamedTensors, void, void> {
    const scope = new TensorScope();
    const { handler } = this.options;
    let given: AsyncGenerator<Tensors, void, void> | undefined;
    try {
      const ctx = this.contextOf(signature, options);
      const inputs = await this.convert('preprocess', toTensors([member], options, scope), ctx, scope);
      given = this.timed(scope, () => handler.predict?.(inputs, ctx)) as AsyncGenerator<Tensors, void, void>;
      for (;;) {
        const step = new TensorScope();
        try {
          const next = await this.timed(step, () => given?.next());
          if (!next || next.done) return;
          const outputs = await this.convert('postprocess', next.value, ctx, step);
          yield takeOutputs(outputs, signature, options.outputs, this.options.wireLimits);
        } finally {
          step.dispose();
        }
      }
    } catch (error) {
      throw this.failure(error);
    } finally {
      await given?.return().catch((error: unknown) => void this.options.report(error));
      scope.dispose();
    }
  }

  /** Describes the model for people. */
  get type(): string {
    return this.options.behind ? `${this.options.behind.model.type} with a handler` : 'handler';
  }

  get platform(): string {
    return this.options.behind?.model.platform ?? this.type;
  }

  private get runsBehind(): HandlerFacts['runsBehind'] {
    const batchers = [...(this.options.behind?.batchers.values() ?? [])];
    if (batchers.length === 0) return undefined;
    const sum = (kind: 'runs' | 'rows') => batchers.reduce((total, { totals }) => total + totals[kind], 0);
    return { runs: sum('runs'), rows: sum('rows') };
  }

  dispose(): Promise<void> {
    return this.options.dispose();
  }

  /** A context for calls outside a request: `warmup` and `routes`. */
  ownContext(): HandlerContext<unknown> {
    return this.contextOf(undefined, {});
  }

  /** Runs the action that answers a request to one of the handler's own routes. */
  private async answerRoute(action: () => Promise<void>): Promise<void> {
    const scope = new TensorScope();
    try {
      await scope.run(action);
    } catch (error) {
      // It was thrown for the client, for example by `koa.throw(404)`.
      throw error instanceof Error && 'status' in error ? error : this.failure(error);
    } finally {
      scope.dispose();
    }
  }

  private async through(given: Tensors, ctx: HandlerContext<unknown>, scope: TensorScope): Promise<Tensors> {
    const { handler } = this.options;
    const inputs = await this.convert('preprocess', given, ctx, scope);
    const outputs = await (handler.predict
      ? this.timed(scope, () => handler.predict?.(inputs, ctx) as Tensors | Promise<Tensors>)
      : scope.run(() => ctx.run(inputs)));
    return this.convert('postprocess', checkTensors(outputs, 'predict'), ctx, scope);
  }

  /** Passes tensors through a function of the handler, if the handler has it. */
  private async convert(
    part: 'preprocess' | 'postprocess',
    tensors: Tensors,
    ctx: HandlerContext<unknown>,
    scope: TensorScope,
  ): Promise<Tensors> {
    const { handler } = this.options;
    if (!handler[part]) return tensors;
    return checkTensors(await this.timed(scope, () => handler[part]?.(tensors, ctx)), part);
  }

  /** Calls a function of the handler, and measures how long it keeps the event loop before it first waits. */
  private timed<Result>(scope: TensorScope, part: () => Result): Result {
    const started = now();
    try {
      return scope.run(part);
    } finally {
      this.options.blocking.observe(now() - started);
    }
  }

  private contextOf(
    signature: Signature | undefined,
    { timeoutSeconds, callers = [] }: RunOptions,
  ): HandlerContext<unknown> {
    const { context, ask, model, requestTimeout } = this.options;
    const started = now();
    // A call outside a request has no deadline of its own: each run gets the default time.
    const deadline = () =>
      timeoutSeconds === undefined ? momentAfter(requestTimeout()) : momentAfter(timeoutSeconds, started);
    // The outputs are disposed together with the tensors that the calling function makes.
    const keep = (outputs: Tensors) => {
      for (const tensor of Object.values(outputs)) addToScope(tensor);
      return outputs;
    };
    return {
      ...context,
      run: async (inputs, options = {}) => keep(await this.runBehind(signature, inputs, deadline(), options)),
      predict: async (request) => keep(await ask([...callers, model], request)),
    };
  }

  private async runBehind(
    outer: Signature | undefined,
    inputs: Tensors,
    deadline: Moment,
    { signature: name, outputs }: { readonly signature?: string; readonly outputs?: readonly string[] },
  ): Promise<Tensors> {
    const { behind, handler, model } = this.options;
    if (!behind)
      throw new ServingError('FAILED_PRECONDITION', `\`${model}\` has no model behind its handler to run`);
    const { signatures } = behind.model;
    const signature =
      signatures.get(name ?? outer?.name ?? '') ?? (name ? undefined : behind.defaultSignature);
    if (!signature)
      throw invalidArgument(`the model behind the handler has no signature \`${name ?? outer?.name}\``);
    const matched = toGraphInputs(signature, inputs, this.options.wireLimits);
    try {
      if (handler.batch) {
        const timeoutSeconds = Math.max(0.001, secondsUntil(deadline));
        return toObject(
          (await behind.model.predict(signature, [matched], { outputs, timeoutSeconds })).outputs,
        );
      }
      const batcher = behind.batchers.get(signature) as Batcher;
      const result = await new Promise<BatchResult>((succeeded, failed) => {
        batcher.submit({ inputs: matched, single: false, outputs, deadline, succeeded, failed });
      });
      return toObject(result.outputs);
    } finally {
      disposeTensors(matched);
    }
  }

  /** The error for the caller. Our own errors are passed on, and the handler's exceptions stay hidden. */
  failure(error: unknown): ServingError {
    if (error instanceof ServingError) return error;
    return new HandlerFault(this.options.model, this.options.report(error), { cause: error });
  }
}

function isAsyncGenerator(part: unknown): boolean {
  return Object.prototype.toString.call(part) === '[object AsyncGeneratorFunction]';
}
