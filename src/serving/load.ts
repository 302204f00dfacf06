/**
 * From a version's folder to a servable that has passed the gate.
 */
import { ServingError } from '../errors.js';
import { fingerprintOf } from '../repository/listing.js';
import { readSavedModel } from '../repository/saved-model.js';
import { readWarmupRequests } from '../repository/warmup-requests.js';
import type { InferenceModel, Runtime } from '../runtime/runtime.js';
import type { MetaGraph, Signature } from '../runtime/signature.js';
import type { Logger } from '../telemetry/logger.js';
import type { BatchLimits, BatchVerdict } from './batching.js';
import { warmUp } from './gate.js';
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
}

export interface LoadedVersion {
  readonly model: InferenceModel;
  readonly parameterCount: number;
  readonly defaultSignature: Signature | undefined;
  /** Why its warm-up says nothing, if so. */
  readonly warmup: string | undefined;
  readonly batching: ReadonlyMap<Signature, BatchVerdict>;
}

/**
 * Checks that all of the SavedModel is there, loads it, runs it once, and checks that its folder stayed as it was.
 *
 * @param name the model and version, for the log
 * @param limits under which it will be batched
 * @throws ServingError saying why it cannot serve; ABORTED if its folder changed. Nothing of it is left then.
 */
export async function loadVersion(
  name: string,
  candidate: Candidate,
  limits: BatchLimits,
  options: LoadOptions,
): Promise<LoadedVersion> {
  const { metaGraph, parameterCount, byteLength } = await readSavedModel(candidate.directory, options.tags);
  checkMemory(byteLength, process.availableMemory());
  const model = await open(candidate.directory, metaGraph, options);
  try {
    const defaultSignature = chooseDefault(metaGraph, options.signature);
    const requests = await readWarmupRequests(candidate.directory);
    options.logger.debug(`warming up ${name}`);
    const deadline = performance.now() + options.warmupTimeout * 1000;
    const warmup = await warmUp(model, { deadline, defaultSignature, requests });
    const { engine } = options.runtime;
    const batching = await judgeBatching(model, { deadline, defaultSignature, limits, warmup, engine });
    if ((await fingerprintOf(candidate.directory)) !== candidate.fingerprint) {
      throw new ServingError('ABORTED', 'its folder changed while it was loaded');
    }
    return { model, parameterCount, defaultSignature, warmup, batching };
  } catch (error) {
    await model.dispose();
    throw error;
  }
}

/**
 * Refuses what cannot fit, while the version that serves can still be kept.
 *
 * @param needed bytes of variables and graph
 * @param available bytes that the system, or the container's limit, has left
 * @throws ServingError FAILED_PRECONDITION with the numbers
 */
export function checkMemory(needed: number, available: number): void {
  if (needed <= available) return;
  const mebibytes = (bytes: number) => `${Math.ceil(bytes / 2 ** 20)} MiB`;
  throw new ServingError(
    'FAILED_PRECONDITION',
    `it takes at least ${mebibytes(needed)} of memory, and ${mebibytes(available)} are left`,
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
function chooseDefault({ signatures }: MetaGraph, name: string): Signature | undefined {
  const only = signatures.size === 1 ? [...signatures.values()][0] : undefined;
  return signatures.get(name) ?? only;
}
