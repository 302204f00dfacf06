/**
 * From a version's folder to a servable that has passed the gate.
 */
import path from 'node:path';
import { ServingError } from '../errors.js';
import { fingerprintOf } from '../repository/listing.js';
import { readSavedModel } from '../repository/saved-model.js';
import { readWarmupRequests } from '../repository/warmup-requests.js';
import { explainUnknownOperations } from '../runtime/operation-wheels.js';
import type { InferenceModel, Runtime } from '../runtime/runtime.js';
import type { MetaGraph, Signature } from '../runtime/signature.js';
import type { Logger } from '../telemetry/logger.js';
import type { Batcher } from './batcher.js';
import type { BatchLimits, BatchVerdict } from './batching.js';
import { warmUp } from './gate.js';
import type { HandledVersion, HandlerLoader, OpenedModel } from './handled.js';
import { availableMemory, checkMemory } from './memory.js';
import type { Candidate } from './policy.js';
import { judgeBatching } from './row-check.js';
import { within } from './within.js';

export interface LoadOptions {
  readonly runtime: Runtime;
  /** Which graph of each SavedModel to load. */
  readonly tags: readonly string[];
  /** The signature that is meant when a request names none. */
  readonly signature: string;
  /** Seconds. */
  readonly loadTimeout: number;
  readonly warmupTimeout: number;
  readonly logger: Logger;
  /** Undefined where handlers are off. */
  readonly handlers: HandlerLoader | undefined;
}

export interface LoadedVersion {
  readonly model: InferenceModel;
  readonly parameterCount: number;
  readonly defaultSignature: Signature | undefined;
  /** Why its warm-up says nothing, if so. */
  readonly warmup: string | undefined;
  readonly batching: ReadonlyMap<Signature, BatchVerdict>;
  /** What is asked of it goes through a handler. */
  readonly isHandled: boolean;
}

export interface VersionToLoad {
  readonly model: string;
  readonly candidate: Candidate;
  /** Under which it will be batched. */
  readonly limits: BatchLimits;
  /** A queue before a signature of a model that stands behind a handler. */
  readonly makeBatcher: (model: InferenceModel, signature: Signature, verdict: BatchVerdict) => Batcher;
}

/**
 * Checks that all of the SavedModel is there, loads it, runs it once, and checks that its folder stayed as it was.
 *
 * @throws ServingError saying why it cannot serve; ABORTED if its folder changed. Nothing of it is left then.
 */
export async function loadVersion(version: VersionToLoad, options: LoadOptions): Promise<LoadedVersion> {
  const { model: name, candidate, limits } = version;
  const { directory, handler, fingerprint } = candidate;
  const opened = await (handler === undefined
    ? openSavedModel(directory, options)
    : openHandled(handler, version, options));
  const { model, parameterCount } = opened;
  const handled = 'whyNotBatched' in opened ? opened : undefined;
  try {
    const defaultSignature = chooseDefault(model.signatures, options.signature);
    const requests = await readWarmupRequests(directory);
    options.logger.debug(`warming up ${name} version ${candidate.version}`);
    const deadline = performance.now() + options.warmupTimeout * 1000;
    const { engine } = options.runtime;
    const warmup = handled?.warmup
      ? await within(options.warmupTimeout, handled.warmup(), tookTooLong).then(() => undefined)
      : await warmUp(model, { deadline, defaultSignature, requests });
    const batching = handled?.whyNotBatched
      ? unbatched(model, handled.whyNotBatched)
      : await judgeBatching(model, { deadline, defaultSignature, limits, warmup, engine });
    if ((await fingerprintOf(directory, handler, options.handlers)) !== fingerprint)
      throw new ServingError('ABORTED', 'its folder changed while it was loaded');
    return { model, parameterCount, defaultSignature, warmup, batching, isHandled: handled !== undefined };
  } catch (error) {
    await model.dispose();
    throw error;
  }
}

function tookTooLong(): ServingError {
  return new ServingError('DEADLINE_EXCEEDED', "its handler's warm-up took longer than --warmup-timeout");
}

function unbatched({ signatures }: InferenceModel, whyNot: string): ReadonlyMap<Signature, BatchVerdict> {
  return new Map(Array.from(signatures.values(), (signature) => [signature, { whyNot, evidence: '' }]));
}

async function openSavedModel(
  directory: string,
  options: LoadOptions,
  tags = options.tags,
): Promise<OpenedModel> {
  const { metaGraph, operations, parameterCount, byteLength } = await readSavedModel(directory, tags);
  checkOperations(operations.used, options.runtime);
  checkMemory(byteLength, await availableMemory());
  return { model: await open(directory, metaGraph, options), metaGraph, parameterCount };
}

/** @throws ServingError FAILED_PRECONDITION if handlers are off: a version must not serve without what belongs to it */
function openHandled(
  file: string,
  { model, candidate, limits, makeBatcher }: VersionToLoad,
  options: LoadOptions,
): Promise<HandledVersion> {
  const { handlers, loadTimeout, warmupTimeout } = options;
  if (!handlers) {
    const name = path.relative(candidate.directory, file);
    throw new ServingError(
      'FAILED_PRECONDITION',
      `it has a handler (${name}), which is code: start the server with --allow-handlers to run it`,
    );
  }
  const opening = handlers.open(file, {
    model,
    candidate,
    openSavedModel: (directory, tags) => openSavedModel(directory, options, tags),
    chooseDefault: (signatures) => chooseDefault(signatures, options.signature),
    async makeBatchers(behind, defaultSignature) {
      const deadline = performance.now() + warmupTimeout * 1000;
      const verdicts = await judgeBatching(behind, {
        ...{ deadline, defaultSignature, limits, engine: options.runtime.engine },
        warmup: undefined,
      });
      return new Map(
        Array.from(verdicts, ([signature, verdict]) => [signature, makeBatcher(behind, signature, verdict)]),
      );
    },
  });
  let givenUp = false;
  opening.then(
    (late) => (givenUp ? late.model.dispose() : undefined),
    () => {},
  );
  return within(loadTimeout, opening, () => {
    givenUp = true;
    return new ServingError(
      'DEADLINE_EXCEEDED',
      `its handler took more than ${loadTimeout} s (--load-timeout)`,
    );
  });
}

/**
 * Refuses what TensorFlow would refuse, with all the operations that it lacks and not the first alone.
 *
 * @throws ServingError FAILED_PRECONDITION naming them, the wheels that have them, and what to do
 */
function checkOperations(used: ReadonlySet<string>, runtime: Runtime): void {
  const unknown = runtime.unknownOperations?.(used) ?? [];
  if (unknown.length > 0)
    throw new ServingError(
      'FAILED_PRECONDITION',
      explainUnknownOperations(unknown.sort(), runtime.tensorflowVersion),
    );
}

async function open(directory: string, metaGraph: MetaGraph, options: LoadOptions): Promise<InferenceModel> {
  const { runtime, loadTimeout } = options;
  let givenUp = false;
  const load = runtime.load(directory, metaGraph);
  // A load cannot be stopped; what it gives after it was given up is given back.
  load.then(
    (model) => (givenUp ? model.dispose() : undefined),
    () => {},
  );
  return within(loadTimeout, load, () => {
    givenUp = true;
    return new ServingError('DEADLINE_EXCEEDED', `loading took more than ${loadTimeout} s (--load-timeout)`);
  });
}

/** The signature of that name, or the only one there is. */
function chooseDefault(signatures: ReadonlyMap<string, Signature>, name: string): Signature | undefined {
  const only = signatures.size === 1 ? [...signatures.values()][0] : undefined;
  return signatures.get(name) ?? only;
}
