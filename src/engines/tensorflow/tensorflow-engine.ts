/**
 * TensorFlow as an engine. It reads a SavedModel and proves its signatures before it loads it, and inserts guards where
 * requests could end the process.
 */
import { tmpdir } from 'node:os';
import { type ErrorCode, messageOf, ServingError } from '../../errors.js';
import type { Logger } from '../../telemetry/logger.js';
import type { OwnEngine } from '../engine.js';
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

/** @param runtime is the one of the process */
export function tensorFlowEngine(runtime: Runtime, logger: Logger): OwnEngine {
  const tensorFlow = { runtime, logger };
  return {
    name: 'TensorFlow',
    format: savedModelFormat,
    warmupFile: { path: `assets.extra/${warmupRequestsFile}`, read: readWarmupRequests },
    async read(directory, tags) {
      const { metaGraph, guards, operations, ...sizes } = await readSavedModel(directory, tags);
      refuseOperations(operations.used);
      checkOperations(operations.used, runtime);
      return { ...metaGraph, ...sizes, load: () => load(directory, metaGraph, guards, tensorFlow) };
    },
  };
}

/**
 * Refuses a graph that TensorFlow would refuse, and names all the operations that it lacks, not only the first.
 *
 * @throws ServingError FAILED_PRECONDITION naming the operations, the wheels that have them, and what to do
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

/**
 * The characters that make TensorFlow take a path for a pattern. It then reads no variables, unless a file happens to
 * match.
 */
const patternLetters = /[*?[\]\\]/;

/**
 * @returns undefined if the model can be loaded as it is: guards are not needed, or not possible
 * @throws ServingError FAILED_PRECONDITION for a path that TensorFlow cannot read, if there is no room for a copy under
 * another path
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
      `cannot make a copy with guards (${messageOf(error)}): requests that would end TensorFlow are not refused. Is there room in ${tmpdir()}?`,
    );
    return undefined;
  }
}

/** TensorFlow's codes for failures of the storage: EIO becomes UNKNOWN, EACCES PERMISSION_DENIED, ESTALE ABORTED. */
const ofStorage: ReadonlySet<ErrorCode> = new Set(['UNKNOWN', 'PERMISSION_DENIED', 'ABORTED', 'CANCELLED']);

function rethrowLoadError(error: unknown): never {
  const isOfStorage = error instanceof ServingError && ofStorage.has(error.code);
  throw isOfStorage ? new ServingError('UNAVAILABLE', error.message) : error;
}
