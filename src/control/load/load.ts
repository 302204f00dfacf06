/** Leads from the folder of a version to a loaded model that has passed the gate. */
import path from 'node:path';
import { readChecked } from '../../engines/checked-engine.js';
import type { Engine, Engines } from '../../engines/engine.js';
import { engineFor, engineIn } from '../../engines/engine-of-folder.js';
import type { InferenceModel } from '../../engines/inference-model.js';
import { type MetaGraph, type Signature, whyRunsCount } from '../../engines/signature.js';
import { messageOf, ServingError } from '../../errors.js';
import { within } from '../../flow/within.js';
import type { Batcher } from '../../serving/queue/batcher.js';
import type { BatchLimits, BatchVerdict } from '../../serving/queue/batching.js';
import type { Logger } from '../../telemetry/logger.js';
import { momentAfter, type Seconds } from '../../time.js';
import { warmUp } from '../checks/gate.js';
import { judgeBatching } from '../checks/row-check.js';
import {
  checkSignatures,
  chooseDefault,
  type DefaultNames,
  listReasons,
  type Predecessor,
} from '../default-signature.js';
import type { HandledVersion, HandlerLoader, OpenedModel } from '../handled.js';
import { availableMemory, checkMemory } from '../memory.js';

export interface LoadOptions {
  readonly engines: Engines;
  /** The tags of the graph to load from each SavedModel. */
  readonly tags: readonly string[];
  /** The signature that is meant when a request names none. */
  readonly signature: string;
  readonly loadTimeout: Seconds;
  readonly warmupTimeout: Seconds;
  readonly logger: Logger;
  /** Loads handlers; undefined if handlers are off. */
  readonly handlers: HandlerLoader | undefined;
  /** True if the version will serve nobody. Then it may be run, even if its runs keep something. */
  readonly isRehearsal?: boolean | undefined;
}

export interface LoadedVersion {
  readonly model: InferenceModel;
  readonly parameterCount: number;
  /** Why the warm-up says nothing; undefined if it does. */
  readonly warmup: string | undefined;
  readonly batching: ReadonlyMap<Signature, BatchVerdict>;
  /** True if its requests go through a handler. */
  readonly isHandled: boolean;
}

/** What is being done to a version before it serves, in words for people. */
export type LoadStage =
  | 'reading its files'
  | 'running its handler'
  | `loading it into ${string}`
  | 'warming it up'
  | 'checking its rows';

export interface VersionToLoad {
  readonly model: string;
  readonly version: number;
  /** The folder with its files, on this machine. */
  readonly directory: string;
  /** The file of its handler, if it has one. */
  readonly handler: string | undefined;
  /** The version whose place it would take. */
  readonly predecessor: Predecessor | undefined;
  readonly defaultNames: DefaultNames;
  /** Called at the beginning of each stage. */
  readonly onStage: (stage: LoadStage) => void;
  /** The limits for its batches. */
  readonly limits: BatchLimits;
  /** Makes the queue for a signature of a model behind a handler. */
  readonly makeBatcher: (model: InferenceModel, signature: Signature, verdict: BatchVerdict) => Batcher;
}

/** A load or a warm-up that took too long. It cannot be stopped, and goes on although nobody waits for it. */
export class GivenUp extends ServingError {
  /** @param ended resolves when it is over and nothing of it is left */
  constructor(
    message: string,
    readonly ended: Promise<void>,
  ) {
    super('DEADLINE_EXCEEDED', message);
  }
}

/**
 * Checks that all of the model is there, loads it, and runs it once.
 *
 * @throws ServingError saying why it cannot serve; UNAVAILABLE if the storage failed. Nothing of it is left then,
 * except after {@link GivenUp}
 */
export async function loadVersion(version: VersionToLoad, options: LoadOptions): Promise<LoadedVersion> {
  const { directory, handler, limits, predecessor, defaultNames, onStage } = version;
  const check = ({ signatures, unusable }: Pick<MetaGraph, 'signatures' | 'unusable'>) =>
    checkSignatures(signatures, unusable, defaultNames, predecessor);
  // A handler may stand alone.
  const engine =
    handler === undefined
      ? await engineFor(directory, options.engines)
      : ((await engineIn(directory, options.engines)) ?? options.engines[0]);
  const opened = await (handler === undefined
    ? openModel(engine, { ...version, check }, options)
    : openHandled(handler, version, options));
  const { model, parameterCount } = opened;
  const handled = 'whyNotBatched' in opened ? opened : undefined;
  try {
    if (handled) check({ signatures: model.signatures, unusable: [] });
    const defaultSignature = chooseDefault(model.signatures, defaultNames);
    const requests = await engine.warmupFile?.read(directory);
    const requestsFile = engine.warmupFile?.path;
    onStage('warming it up');
    options.logger.debug(`warming up ${version.model} version ${version.version}`);
    const deadline = momentAfter(options.warmupTimeout);
    const keeps = defaultSignature && whyRunsCount(defaultSignature);
    const whyKept = options.isRehearsal ? undefined : (handled?.whyKept ?? keeps);
    const warmup = handled?.warmup
      ? await within(options.warmupTimeout, handled.warmup(), tookTooLong).then(() => undefined)
      : await warmUp(model, { deadline, defaultSignature, requests, requestsFile, whyKept });
    // What the default signature would write says nothing of the other signatures.
    const warmupOfOthers = keeps === undefined ? warmup : undefined;
    onStage('checking its rows');
    const batching = handled?.whyNotBatched
      ? unbatched(model, handled.whyNotBatched)
      : await judgeBatching(model, {
          ...{ deadline, defaultSignature, limits },
          warmup: handled?.whyKept === undefined ? warmupOfOthers : `must not be run: ${handled.whyKept}`,
        });
    return { model, parameterCount, warmup, batching, isHandled: handled !== undefined };
  } catch (error) {
    const disposal = model.dispose();
    // Disposing it may wait for a run that hangs.
    if (error instanceof ServingError && error.code === 'DEADLINE_EXCEEDED')
      throw new GivenUp(error.message, disposal);
    await disposal;
    throw error;
  }
}

/**
 * Loads the model behind a handler and runs it, to see whether that ends the process. Any other failure says nothing,
 * because the handler may use the model in its own way.
 */
export async function rehearseModelBeneath(version: VersionToLoad, options: LoadOptions): Promise<void> {
  const { directory, limits, defaultNames, onStage } = version;
  try {
    const engine = await engineFor(directory, options.engines);
    const { model } = await openModel(engine, version, options);
    const defaultSignature = chooseDefault(model.signatures, defaultNames);
    const requests = await engine.warmupFile?.read(directory);
    const requestsFile = engine.warmupFile?.path;
    const deadline = momentAfter(options.warmupTimeout);
    onStage('warming it up');
    const warmup = await warmUp(model, {
      ...{ deadline, defaultSignature, requests, requestsFile },
      whyKept: undefined,
    });
    onStage('checking its rows');
    await judgeBatching(model, { deadline, defaultSignature, limits, warmup });
  } catch (error) {
    options.logger.debug(`in a rehearsal: ${messageOf(error)}`);
  }
}

function tookTooLong(): ServingError {
  return new ServingError('DEADLINE_EXCEEDED', "its handler's warm-up took longer than --warmup-timeout");
}

function unbatched({ signatures }: InferenceModel, whyNot: string): ReadonlyMap<Signature, BatchVerdict> {
  const alone: BatchVerdict = { sharing: 'alone', why: whyNot, afterTrial: false };
  return new Map(Array.from(signatures.values(), (signature) => [signature, alone]));
}

interface ModelToOpen extends Pick<VersionToLoad, 'model' | 'directory' | 'onStage'> {
  /** The tags of the graph to load; by default those of the options. */
  readonly tags?: readonly string[] | undefined;
  /** Throws if the files already say enough to refuse the model. */
  readonly check?: (metaGraph: MetaGraph) => void;
}

async function openModel(
  engine: Engine,
  { model: name, directory, onStage, check, tags }: ModelToOpen,
  options: LoadOptions,
): Promise<OpenedModel> {
  const { loadTimeout } = options;
  onStage('reading its files');
  const [own] = options.engines;
  const found = await (engine === own
    ? own.read(directory, tags ?? options.tags)
    : readChecked(engine, name, directory, tags ?? options.tags, options.logger));
  check?.(found);
  const { parameterCount, byteLength, unusable } = found;
  if (unusable.length > 0)
    options.logger.warn(`${name}: signatures are not served: ${listReasons(unusable)}`);
  checkMemory(byteLength, await availableMemory());
  onStage(`loading it into ${engine.name}`);
  const tooLong = `loading took more than ${loadTimeout} s (--load-timeout)`;
  const model = await orGiveUp(loadTimeout, found.load(), (late) => late.dispose(), tooLong);
  return { model, metaGraph: { tags: found.tags, signatures: found.signatures, unusable }, parameterCount };
}

/** @throws ServingError FAILED_PRECONDITION if handlers are off: a version must not serve without its handler */
async function openHandled(
  file: string,
  { model, version, directory: own, limits, makeBatcher, defaultNames, onStage }: VersionToLoad,
  options: LoadOptions,
): Promise<HandledVersion> {
  const { handlers, loadTimeout, warmupTimeout } = options;
  if (!handlers) {
    const name = path.relative(own, file);
    throw new ServingError(
      'FAILED_PRECONDITION',
      `it has a handler (${name}), which is code: start the server with --allow-handlers to run it`,
    );
  }
  const holdsModel = (await engineIn(own, options.engines)) !== undefined;
  onStage('running its handler');
  const opening = handlers.open(file, {
    model,
    version,
    directory: own,
    holdsModel,
    async openModel(directory, tags) {
      const engine = await engineFor(directory, options.engines);
      const opened = await openModel(engine, { model, directory, onStage, tags }, options);
      onStage('running its handler');
      return opened;
    },
    chooseDefault: (signatures) => chooseDefault(signatures, defaultNames),
    async makeBatchers(behind, defaultSignature) {
      onStage('checking its rows');
      const deadline = momentAfter(warmupTimeout);
      const verdicts = await judgeBatching(behind, {
        ...{ deadline, defaultSignature, limits },
        warmup: undefined,
      });
      return new Map(
        Array.from(verdicts, ([signature, verdict]) => [signature, makeBatcher(behind, signature, verdict)]),
      );
    },
  });
  const tooLong = `its handler took more than ${loadTimeout} s (--load-timeout)`;
  return orGiveUp(loadTimeout, opening, ({ model }) => model.dispose(), tooLong);
}

/** Disposes what a load returns after it was given up. @throws GivenUp */
function orGiveUp<Opened>(
  seconds: Seconds,
  opening: Promise<Opened>,
  giveBack: (opened: Opened) => Promise<void>,
  tooLong: string,
): Promise<Opened> {
  return within(
    seconds,
    opening,
    () =>
      new GivenUp(
        tooLong,
        opening.then(giveBack, () => {}),
      ),
  );
}
