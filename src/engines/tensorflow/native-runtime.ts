/** The runtime that never blocks the event loop. Loads and runs go to threads of our addon (`native/`). */
import { type ErrorCode, isErrorCode, messageOf } from '../../errors.js';
import { dtypeOf, dtypes } from '../../tensors/dtypes.js';
import { feedOf, PackedStrings, type Strings } from '../../tensors/strings.js';
import { inputOf, joinRows, type Padding } from '../../tfjs/rows.js';
import { createTensor, type NamedTensors, type Tensor } from '../../tfjs/tensors.js';
import type { ComputeMode, InferenceModel, RunOptions, RunResult, SharedModel } from '../inference-model.js';
import type { RunRecord, RunTracer, TracedRun } from '../run-tracer.js';
import type { Signature, TensorSpec } from '../signature.js';
import type { ComputeChoice } from './compute-mode.js';
import { copyRows, copyRowsInTurns } from './copied-rows.js';
import { graphNameOf } from './graph-name.js';
import { giveBackWhenIdle } from './idle-memory.js';
import type { CallHandle, Feed, NativeBinding, NativeRunResult, Output, SessionHandle } from './native.js';
import { whyNotInline } from './operations/bounded-operations.js';
import { type InputTypes, readInputTypes } from './operations/operation-inputs.js';
import { operationNames } from './operations/operation-list.js';
import { type SplitOutputs, splitOutputs } from './passed-outputs.js';
import { encodeRunOptions } from './proto/config-proto.js';
import { readOpRuns } from './proto/step-stats.js';
import {
  type Device,
  type Runtime,
  type SharedRuntime,
  savedModelPlatform,
  savedModelType,
} from './runtime.js';
import { runError, TensorFlowError } from './tensorflow-error.js';

/**
 * The number of selections of outputs that are prepared for each model. For any further selection, all outputs are
 * computed and the others are dropped.
 */
const preparedSelections = 64;

/**
 * @param binding is the addon, initialized
 * @param sessionConfig is the serialized ConfigProto for sessions
 * @param heedsTimeouts says that a run ends by itself once its time is over
 * @param choice is what the config says of how models are computed
 * @param opLibraries are those that are loaded
 */
export function nativeRuntime(
  binding: NativeBinding,
  devices: readonly Device[],
  sessionConfig: Uint8Array,
  {
    heedsTimeouts,
    ...choice
  }: ComputeChoice & { readonly heedsTimeouts: boolean; readonly opLibraries: readonly string[] },
): Runtime {
  const device = deviceOf(devices);
  giveBackWhenIdle(binding);
  const tracing: Tracing = {
    runOptions: encodeRunOptions({ trace: device === 'gpu' ? 'gpus' : 'processor' }),
    tracer: undefined,
    isBusy: false,
  };
  return {
    kind: 'native',
    tensorflowVersion: binding.tensorflowVersion,
    versions: { tensorflow: binding.tensorflowVersion },
    devices,
    device,
    ...choice,
    unknownOperations: findUnknown(binding),
    // Kernels for other devices make other checks.
    ...(device === 'cpu' ? { takeGuards: guardTaker(binding) } : {}),
    async load(directory, metaGraph, disposed) {
      const session = await binding.loadSession(directory, [...metaGraph.tags], sessionConfig).catch(rethrow);
      return new NativeModel(binding, session, metaGraph.signatures, {
        tracing,
        heedsTimeouts,
        device,
        mode: choice.mode,
        disposed,
      });
    },
    trace(tracer) {
      tracing.tracer = tracer;
    },
    free: (buffer) => binding.free(buffer),
    counters: () => ({ ...binding.counters() }),
    unacknowledged(descriptor) {
      const bytes = binding.unacknowledged(descriptor);
      return bytes < 0 ? undefined : bytes;
    },
    notify: (path, message) => binding.notify(path, message),
    exitNow: (code) => binding.exitNow(code),
  };
}

/**
 * Opens a model that the main thread has loaded, on another event loop. It stays loaded until the last of them has
 * disposed it.
 *
 * @throws ServingError NOT_FOUND if nobody holds it any more
 */
export function openShared(
  binding: NativeBinding,
  { session, signatures, mode }: SharedModel,
  { heedsTimeouts, device }: SharedRuntime,
): InferenceModel {
  const handle = session as SessionHandle;
  try {
    binding.retainSession(handle);
  } catch (error) {
    rethrow(error);
  }
  // Runs are traced on the main thread.
  const tracing: Tracing = { runOptions: null, tracer: undefined, isBusy: false };
  return new NativeModel(binding, handle, signatures, {
    ...{ tracing, heedsTimeouts, device, mode },
    disposed: undefined,
  });
}

/** Reading the list takes 20 ms. It is kept, and read again only if it lacks an operation, since lists only grow. */
function findUnknown(binding: NativeBinding): (operations: ReadonlySet<string>) => string[] {
  let known: ReadonlySet<string> = new Set();
  return (operations) => {
    const lacking = [...operations].filter((name) => !known.has(name));
    if (lacking.length === 0) return [];
    known = operationNames(binding.operationList());
    return lacking.filter((name) => !known.has(name));
  };
}

/** Reading the types takes 40 ms. They are kept from the first model with a guard on. */
function guardTaker(binding: NativeBinding): () => InputTypes {
  let types: InputTypes | undefined;
  return () => {
    if (types) return types;
    binding.registerGuard();
    types = readInputTypes(binding.operationList());
    return types;
  };
}

/** What models run on: a GPU if there is one. */
export function deviceOf(devices: readonly Device[]): 'cpu' | 'gpu' {
  return devices.some(({ type }) => type === 'GPU') ? 'gpu' : 'cpu';
}

interface PreparedCall extends SplitOutputs {
  /** The prepared call; undefined if nothing is to be fetched, which TensorFlow refuses. */
  readonly call: CallHandle | undefined;
}

const nothingFetched: NativeRunResult = [[], 0, 0];

/** What all models of the runtime check when a run begins. */
interface Tracing {
  readonly runOptions: Uint8Array | null;
  tracer: RunTracer | undefined;
  /** True while a traced run is under way. */
  isBusy: boolean;
}

interface NativeModelOptions {
  readonly tracing: Tracing;
  readonly heedsTimeouts: boolean;
  readonly device: 'cpu' | 'gpu';
  readonly mode: ComputeMode;
  /** Called once the model is disposed. */
  readonly disposed: (() => Promise<void>) | undefined;
}

/** @param metadata is a serialized `tensorflow.RunMetadata` */
function recordOf(metadata: Uint8Array): RunRecord {
  return {
    byteLength: metadata.length,
    operations: (origin) => readOpRuns(metadata, origin),
  };
}

class NativeModel implements InferenceModel {
  readonly type = savedModelType;
  readonly platform = savedModelPlatform;
  readonly mode: ComputeMode;
  /** The calls for all outputs of a signature, and for some of them. */
  private readonly wholeCalls = new Map<Signature, PreparedCall>();
  private readonly calls = new Map<string, PreparedCall>();
  private disposal?: Promise<void>;

  constructor(
    private readonly binding: NativeBinding,
    private readonly session: SessionHandle,
    readonly signatures: ReadonlyMap<string, Signature>,
    private readonly options: NativeModelOptions,
  ) {
    this.mode = options.mode;
  }

  get shared(): SharedModel {
    const { session, signatures, mode } = this;
    return { session, signatures, mode };
  }

  whyNotInline(signature: Signature): string | undefined {
    return whyNotInline(signature, this.options.device);
  }

  async predict(
    signature: Signature,
    members: readonly NamedTensors[],
    options: RunOptions = {},
  ): Promise<RunResult> {
    const prepared = this.prepare(signature, options.outputs);
    const { call } = prepared;
    const result = call ? await this.run(call, signature, members, options) : nothingFetched;
    const passed: [name: string, tensor: Tensor][] = [];
    for (const { output, input } of prepared.passed)
      passed.push([output, await copyRowsInTurns(inputOf(input, members), options.padding)]);
    return this.toResult(signature, prepared, result, passed);
  }

  private async run(
    call: CallHandle,
    signature: Signature,
    members: readonly NamedTensors[],
    options: RunOptions,
  ): Promise<NativeRunResult> {
    const feeds = toFeeds(signature, members, options.padding);
    const { background = false } = options;
    const timeoutSeconds = this.options.heedsTimeouts ? options.timeoutSeconds : undefined;
    const runOptions = encodeRunOptions({ timeoutSeconds, onThisThread: background });
    const run = background ? this.binding.runInBackground : this.binding.run;
    const trace = this.beginTrace(signature, feeds, options);
    return trace
      ? this.runTraced(call, feeds, trace)
      : run(this.session, call, feeds, runOptions).catch(rethrowOfRun);
  }

  get isTraced(): boolean {
    return this.options.tracing.tracer !== undefined;
  }

  predictHere(
    signature: Signature,
    members: readonly NamedTensors[],
    options: Pick<RunOptions, 'outputs' | 'padding'> = {},
  ): RunResult {
    const prepared = this.prepare(signature, options.outputs);
    const { call } = prepared;
    let result = nothingFetched;
    try {
      if (call)
        result = this.binding.runHere(this.session, call, toFeeds(signature, members, options.padding));
    } catch (error) {
      rethrowOfRun(error);
    }
    const passed = prepared.passed.map(
      ({ output, input }) => [output, copyRows(inputOf(input, members), options.padding)] as const,
    );
    return this.toResult(signature, prepared, result, passed);
  }

  /** @param passed are outputs that are inputs at the same time */
  private toResult(
    signature: Signature,
    { fetched }: PreparedCall,
    result: NativeRunResult,
    passed: Iterable<readonly [name: string, tensor: Tensor]>,
  ): RunResult {
    const [outputs, queueMicros, runMicros] = result;
    const named = new Map<string, Tensor>();
    outputs.forEach(([tf, shape, data], i) => {
      const name = fetched[i]?.name;
      const dtype = dtypeOf(tf);
      if (name === undefined || dtype === undefined)
        throw new Error(`output ${i} of ${signature.name} has no name or dtype`);
      const isPacked = dtype === 'string' && data instanceof Uint8Array;
      const values = isPacked ? PackedStrings.over(data) : data;
      named.set(name, createTensor(dtype, shape, values, this.releaseOf(data)));
    });
    for (const [name, tensor] of passed) named.set(name, tensor);
    return { outputs: named, queueMicros, runMicros };
  }

  /** A function that releases the memory of an output; undefined if the garbage collector does it. */
  private releaseOf(data: Output[2]): (() => void) | undefined {
    if (!(data instanceof Uint8Array) || data.length < this.binding.exposedBytes) return undefined;
    return () => this.binding.free(data.buffer);
  }

  /**
   * Begins a trace, for one run at a time: the record of a long loop takes gigabytes, and TensorFlow traces GPUs for
   * one run only.
   */
  private beginTrace(
    signature: Signature,
    [first]: readonly Feed[],
    { background, padding }: RunOptions,
  ): TracedRun | undefined {
    const { tracer, isBusy } = this.options.tracing;
    if (tracer === undefined || isBusy || background) return undefined;
    return tracer.begin(this, signature, (first?.[1][0] ?? 1) - (padding?.rows ?? 0));
  }

  private async runTraced(
    call: CallHandle,
    feeds: readonly Feed[],
    trace: TracedRun,
  ): Promise<NativeRunResult> {
    const { binding, session } = this;
    const { tracing } = this.options;
    tracing.isBusy = true;
    try {
      const { runOptions } = tracing;
      const [result, metadata] = await binding.runTraced(session, call, feeds, runOptions, trace.maxBytes);
      trace.ended(metadata && recordOf(metadata));
      return result;
    } catch (error) {
      rethrowOfRun(error);
    } finally {
      tracing.isBusy = false;
    }
  }

  /** Finds the names in the graph, once for each signature and selection of outputs. */
  private prepare(signature: Signature, selection?: readonly string[]): PreparedCall {
    if (selection) return this.prepareSome(signature, selection);
    let prepared = this.wholeCalls.get(signature);
    if (!prepared) {
      prepared = this.find(signature, [...signature.outputs.values()]);
      this.wholeCalls.set(signature, prepared);
    }
    return prepared;
  }

  private prepareSome(signature: Signature, selection: readonly string[]): PreparedCall {
    const outputs = [...signature.outputs.values()].filter(({ name }) => selection.includes(name));
    const key = JSON.stringify([signature.name, outputs.map(({ name }) => name)]);
    let prepared = this.calls.get(key);
    if (!prepared && this.calls.size >= preparedSelections) return this.prepare(signature);
    if (!prepared) {
      prepared = this.find(signature, outputs);
      this.calls.set(key, prepared);
    }
    return prepared;
  }

  private find(signature: Signature, outputs: readonly TensorSpec[]): PreparedCall {
    const split = splitOutputs(signature, outputs);
    if (split.fetched.length === 0) return { ...split, call: undefined };
    const feeds = Array.from(signature.inputs.values(), graphNameOf);
    const fetches = split.fetched.map(graphNameOf);
    try {
      return { ...split, call: this.binding.prepare(this.session, feeds, fetches) };
    } catch (error) {
      rethrow(error);
    }
  }

  dispose(): Promise<void> {
    this.disposal ??= this.binding.releaseSession(this.session).then(this.options.disposed);
    return this.disposal;
  }
}

function toFeeds(
  { inputs }: Signature,
  members: readonly NamedTensors[],
  padding: Padding | undefined,
): Feed[] {
  const feeds: Feed[] = [];
  for (const name of inputs.keys()) {
    const { dtype, shape, data } = joinRows(inputOf(name, members), padding);
    feeds.push([
      dtypes[dtype].tf,
      shape,
      dtype === 'string' ? feedOf(data as Strings) : (data as Uint8Array),
    ]);
  }
  return feeds;
}

/** Throws a failure of TensorFlow as an error with its code. Any other error is a fault of ours and stays as it is. */
function rethrow(error: unknown): never {
  const code = codeOf(error);
  throw code === undefined ? error : new TensorFlowError(code, messageOf(error));
}

function rethrowOfRun(error: unknown): never {
  const code = codeOf(error);
  throw code === undefined ? error : runError(code, messageOf(error));
}

function codeOf(error: unknown): ErrorCode | undefined {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  return isErrorCode(code) ? code : undefined;
}
