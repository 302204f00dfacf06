/**
 * TensorFlow as an engine: SavedModels, read and proven before they are loaded, with guards where requests could end the
 * process.
 */
import { tmpdir } from 'node:os';
import { type ErrorCode, messageOf, ServingError } from '../../errors.js';
import type { Logger } from '../../telemetry/logger.js';
import type { Engine } from '../engine.js';
import type { InferenceModel } from '../inference-model.js';
import type { MetaGraph } from '../signature.js';
import { type Guards, noGuards } from './graph/guards/find.js';
import { explainUnknownOperations } from './operations/operation-wheels.js';
import { refuseOperations } from './operations/refused-operations.js';
import type { Runtime } from './runtime.js';
import { savedModelFormat } from './saved-model/format.js';
import { type GuardedCopy, makeGuardedCopy } from './saved-model/guarded-copy.js';
import { readSavedModel } from './saved-model/read.js';
import { readWarmupRequests, warmupRequestsFile } from './saved-model/warmup-requests.js';

interface TensorFlow {
  readonly runtime: Runtime;
  readonly logger: Logger;
}

/** @param runtime the process's one */
export function tensorFlowEngine(runtime: Runtime, logger: Logger): Engine {
  const tensorFlow = { runtime, logger };
  return {
    name: 'TensorFlow',
    format: savedModelFormat,
    warmupFile: { path: `assets.extra/${warmupRequestsFile}`, read: readWarmupRequests },
    async read(directory, tags) {
      const { metaGraph, guards, operations, ...sizes } = await readSavedModel(directory, tags);
      refuseOperations(operations.used);
      checkOperations(operations.used, runtime);
      return { metaGraph, ...sizes, load: () => load(directory, metaGraph, guards, tensorFlow) };
    },
  };
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

async function load(
  directory: string,
  metaGraph: MetaGraph,
  guards: Guards,
  tensorFlow: TensorFlow,
): Promise<InferenceModel> {
  const copy = await copyFor(directory, metaGraph, guards, tensorFlow);
  return tensorFlow.runtime
    .load(copy?.directory ?? directory, metaGraph, copy?.remove)
    .finally(copy?.loaded)
    .catch(rethrowLoadError);
}

/** What TensorFlow takes a path for a pattern at. It reads no variables there unless a file happens to match. */
const patternLetters = /[*?[\]\\]/;

/**
 * @returns undefined where the model can be loaded as it is: no guards are needed, or cannot be had
 * @throws ServingError FAILED_PRECONDITION for a path that TensorFlow does not read, if there is no room for another
 */
async function copyFor(
  directory: string,
  { tags }: MetaGraph,
  guards: Guards,
  { runtime, logger }: TensorFlow,
): Promise<GuardedCopy | undefined> {
  const takes = guards.size > 0 ? runtime.takeGuards : undefined;
  const isPattern = patternLetters.test(directory);
  if (!takes && !isPattern) return undefined;
  try {
    const typesOf = takes?.();
    const copied = typesOf ? guards : noGuards;
    return await makeGuardedCopy(directory, tags, copied, ({ node }) => typesOf?.(node.op, node) ?? []);
  } catch (error) {
    if (error instanceof ServingError) throw error;
    if (isPattern)
      throw new ServingError(
        'FAILED_PRECONDITION',
        `TensorFlow takes the path for a pattern, because of one of * ? [ ] \\ in it, and no folder with links to it can be made (${messageOf(error)}): rename the folder, or make room in ${tmpdir()}`,
      );
    logger.warn(
      `no copy with guards can be made (${messageOf(error)}): requests that end TensorFlow are not refused. Is there room in ${tmpdir()}?`,
    );
    return undefined;
  }
}

/** TensorFlow's codes for what the system says of storage: EIO is UNKNOWN, EACCES PERMISSION_DENIED, ESTALE ABORTED. */
const ofStorage: ReadonlySet<ErrorCode> = new Set(['UNKNOWN', 'PERMISSION_DENIED', 'ABORTED', 'CANCELLED']);

function rethrowLoadError(error: unknown): never {
  const isOfStorage = error instanceof ServingError && ofStorage.has(error.code);
  throw isOfStorage ? new ServingError('UNAVAILABLE', error.message) : error;
}
