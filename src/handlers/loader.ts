/**
 * Loads the handlers of versions.
 */
import path from 'node:path';
import Router from '@koa/router';
import type { HandledVersion, HandlerHost, HandlerLoader } from '../control/handled.js';
import type { InferenceModel } from '../engines/inference-model.js';
import { type Signature, whyRunsCount } from '../engines/signature.js';
import { type ErrorCode, ServingError } from '../errors.js';
import { isStorageFailure } from '../files/storage-failure.js';
import { type PredictServices, predictInProcess } from '../inference/in-process.js';
import type { Batcher } from '../serving/queue/batcher.js';
import type { Logger } from '../telemetry/logger.js';
import { openTensorFlowJs } from '../tfjs/open.js';
import { TensorScope } from '../tfjs/tensor-scope.js';
import { viewTensor } from '../tfjs/tensors.js';
import type { HandlerBlocking } from './blocking.js';
import { type Bundle, HandlerBundles } from './bundle.js';
import { evaluate, locate } from './evaluate.js';
import { HandledModel } from './handled-model.js';
import type { Handler, LoadContext, Tensors } from './handler.js';
import { handlerSignatureName, readSignature } from './handler-signature.js';
import { StrayErrors } from './stray-errors.js';
import { isTfModel, TfModelAdapter } from './tf-model.js';

export interface HandlersOptions {
  /** The value of `--handler`. */
  readonly file: string | undefined;
  readonly logger: Logger;
  readonly blocking: HandlerBlocking;
}

/** A handler's model. Other modules see it only as an object. */
class SavedModelHandle {
  constructor(
    readonly model: InferenceModel,
    readonly parameterCount: number,
  ) {}
}

export class Handlers extends HandlerBundles implements HandlerLoader {
  private services: PredictServices | undefined;
  private readonly strayErrors: StrayErrors;

  constructor(private readonly options: HandlersOptions) {
    super(options.file);
    this.strayErrors = new StrayErrors(options.logger);
  }

  /**
   * Logs errors that a handler raises outside every call, instead of ending the process.
   * @returns a function that stops this
   */
  watchStrayErrors(): () => void {
    return this.strayErrors.watch();
  }

  /** Sets what handlers ask other models through. It is made after the manager, which needs the handlers. */
  connect(services: PredictServices): void {
    this.services = services;
  }

  async open(file: string, host: HandlerHost): Promise<HandledVersion> {
    // Each version has a bundle of its own, because what is known of a bundle ends with its version.
    const bundle = { ...(await this.bundle(file)) };
    const scope = new TensorScope(true);
    const opened: InferenceModel[] = [];
    const forget = this.strayErrors.expect(bundle, host.model);
    const end = async () => {
      for (const model of opened) await model.dispose();
      scope.dispose();
      forget();
    };
    try {
      return await this.assemble(bundle, host, scope, { opened, end });
    } catch (error) {
      await end();
      if (error instanceof ServingError) throw error;
      const { message, stack } = locate(error, bundle);
      this.options.logger.debug(stack);
      throw new ServingError(codeOfFailure(error), `its handler failed: ${message}`);
    }
  }

  private async assemble(
    bundle: Bundle,
    host: HandlerHost,
    scope: TensorScope,
    { opened, end }: { opened: InferenceModel[]; end: () => Promise<void> },
  ): Promise<HandledVersion> {
    const { options, connected } = this;
    const { logger, blocking } = options;
    const { model, version, directory } = host;
    const tf = openTensorFlowJs();
    const handler = scope.run(() => evaluate(bundle, provide));
    const context = { tf, model, version, directory, logger };
    const savedModel: LoadContext['savedModel'] = async (relative, tags) => {
      const found = await host.openModel(path.resolve(directory, relative), tags);
      opened.push(found.model);
      return new SavedModelHandle(found.model, found.parameterCount);
    };
    const loaded = await scope.run(() => handler.load?.({ ...context, savedModel }));
    const behind = await this.behind(handler, loaded, host, opened);
    const handled = new HandledModel({
      model,
      handler,
      behind,
      signatures: signaturesOf(handler, behind?.model),
      wireLimits: connected.wireLimits,
      requestTimeout: () => connected.requestTimeout,
      context: { ...context, loaded },
      ask: (callers, request) => this.ask(callers, request),
      report: (error) => {
        const { message, stack } = locate(error, bundle);
        logger.error({ model, stack }, `the handler of ${model} failed: ${message}`);
        return message;
      },
      blocking: blocking.of(model),
      dispose: end,
    });
    if (handler.routes) {
      const router = new Router();
      scope.run(() => handler.routes?.(router, handled.ownContext()));
      handled.addRoutes(router);
    }
    // A stream may never end. Its generator prepares itself before the first answer.
    const warmup = handler.warmup ?? (handled.stream ? () => {} : undefined);
    return {
      model: handled,
      parameterCount: behind?.parameterCount ?? 0,
      whyNotBatched: handler.batch ? undefined : explain(behind?.batchers),
      whyKept: whyKept(opened),
      warmup:
        warmup &&
        (async () => {
          const ofItsOwn = new TensorScope();
          try {
            await ofItsOwn.run(() => warmup(handled.ownContext()));
          } catch (error) {
            if (error instanceof ServingError) throw error;
            const { message } = locate(error, bundle);
            throw new ServingError(codeOfFailure(error), `its handler's warm-up failed: ${message}`);
          } finally {
            ofItsOwn.dispose();
          }
        }),
    };
  }

  private get connected(): PredictServices {
    if (!this.services) throw new Error('the handlers are not connected yet');
    return this.services;
  }

  /** The model that the handler stands before: the one that `load` returned, or the SavedModel beside the handler. */
  private async behind(
    handler: Handler<unknown>,
    loaded: unknown,
    host: HandlerHost,
    opened: InferenceModel[],
  ) {
    const found = await this.find(handler, loaded, host, opened);
    if (!found) return undefined;
    const { model, parameterCount } = found;
    const defaultSignature = host.chooseDefault(model.signatures);
    const batchers = handler.batch ? new Map() : await host.makeBatchers(model, defaultSignature);
    return { model, parameterCount, defaultSignature, batchers };
  }

  private async find(
    handler: Handler<unknown>,
    loaded: unknown,
    host: HandlerHost,
    opened: InferenceModel[],
  ) {
    if (loaded instanceof SavedModelHandle) return loaded;
    if (isTfModel(loaded)) {
      const weights = loaded as { countParams?: () => number };
      return { model: new TfModelAdapter(loaded), parameterCount: weights.countParams?.() ?? 0 };
    }
    // A handler that predicts by itself needs no model beside it, but if there is one it must load.
    if (handler.predict && !host.holdsModel) return undefined;
    const found = await host.openModel(host.directory);
    opened.push(found.model);
    return found;
  }

  private async ask(
    callers: readonly string[],
    request: Parameters<typeof predictInProcess>[1],
  ): Promise<Tensors> {
    return (await predictInProcess(this.connected, request, callers)).outputs;
  }
}

/** The files that a handler reads may be out of reach for a while, as those of a model may. */
function codeOfFailure(error: unknown): ErrorCode {
  return isStorageFailure(error) ? 'UNAVAILABLE' : 'FAILED_PRECONDITION';
}

/** The server's own packages, as handlers import them. */
function provide(specifier: string): unknown {
  if (/^@tensorflow\/tfjs(-core|-node|-node-gpu)?$/.test(specifier)) return openTensorFlowJs();
  if (specifier === '@koa/router') return Router;
  if (/^tfjs-serving(\/handler)?$/.test(specifier)) return { ServingError, viewTensor };
  throw new ServingError(
    'INVALID_ARGUMENT',
    `the handler imports \`${specifier}\`, which the server does not provide; its own files and packages are bundled with it`,
  );
}

/** Says why made-up inputs must not run: they would change later answers of a signature behind the handler. */
function whyKept(opened: readonly InferenceModel[]): string | undefined {
  const signatures = opened.flatMap((model) => [...model.signatures.values()]);
  for (const signature of signatures) {
    const why = whyRunsCount(signature);
    if (why !== undefined) return `signature \`${signature.name}\` behind its handler: ${why}`;
  }
  return undefined;
}

/**
 * The signatures as callers see them: the handler's own, or those of the model behind it, whose outputs the handler may
 * change.
 */
function signaturesOf(
  handler: Handler<unknown>,
  behind: InferenceModel | undefined,
): ReadonlyMap<string, Signature> {
  const changesOutputs = handler.predict !== undefined || handler.postprocess !== undefined;
  if (handler.signature) {
    const declared = readSignature(handler.signature);
    const [first] = behind?.signatures.values() ?? [];
    const own = behind?.signatures.get(handlerSignatureName) ?? first;
    if (declared.outputs.size > 0 || changesOutputs || !own) return new Map([[declared.name, declared]]);
    const { outputs, composites } = own;
    const given = composites && { inputs: new Map(), outputs: composites.outputs };
    return new Map([[declared.name, { ...declared, outputs, composites: given }]]);
  }
  if (!behind)
    throw new ServingError('INVALID_ARGUMENT', 'a handler without a model must declare its `signature`');
  if (!changesOutputs) return behind.signatures;
  return new Map(
    Array.from(behind.signatures, ([name, signature]) => {
      const { composites } = signature;
      const taken = composites && { inputs: composites.inputs, outputs: new Map() };
      return [name, { ...signature, outputs: new Map(), composites: taken }];
    }),
  );
}

function explain(batchers: ReadonlyMap<Signature, Batcher> | undefined): string {
  const [first] = batchers?.values() ?? [];
  const behind = first ? `; behind it: ${first.sharing.explanation}` : '';
  return `its handler runs for each request${behind}`;
}
