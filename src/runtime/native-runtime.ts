/**
 * The runtime that never blocks the event loop: loads and runs go to threads of our addon (`native/`).
 */
import { isErrorCode, messageOf, ServingError } from '../errors.js';
import { encodeRunOptions } from './config-proto.js';
import { dtypeOf, dtypes } from './dtypes.js';
import type { CallHandle, Feed, NativeBinding, RunResult, SessionHandle } from './native.js';
import { inputOf, joinRows, type Padding } from './rows.js';
import type {
  Device,
  InferenceModel,
  Prediction,
  PredictOptions,
  RunTracer,
  Runtime,
  TracedRun,
} from './runtime.js';
import type { MetaGraph, Signature, TensorSpec } from './signature.js';
import { createTensor, type NamedTensors, type Tensor } from './tensors.js';

/** How many different selections of outputs are prepared per model; further ones compute all outputs and drop the rest. */
const preparedSelections = 64;

/**
 * @param binding the addon, initialized
 * @param sessionConfig the serialized ConfigProto under which sessions are opened
 */
export function nativeRuntime(
  binding: NativeBinding,
  devices: readonly Device[],
  sessionConfig: Uint8Array,
): Runtime {
  const device = devices.some(({ type }) => type === 'GPU') ? 'gpu' : 'cpu';
  const tracing: Tracing = {
    runOptions: encodeRunOptions({ trace: device === 'gpu' ? 'gpus' : 'processor' }),
    tracer: undefined,
    isBusy: false,
  };
  return {
    kind: 'native',
    tensorflowVersion: binding.tensorflowVersion,
    devices,
    device,
    async load(directory, metaGraph) {
      const session = await binding.loadSession(directory, [...metaGraph.tags], sessionConfig).catch(rethrow);
      return new NativeModel(binding, session, metaGraph, tracing);
    },
    trace(tracer) {
      tracing.tracer = tracer;
    },
    counters: () => ({ ...binding.counters() }),
    exitNow: (code) => binding.exitNow(code),
  };
}

/** What all models of the runtime look at as a run begins. */
interface Tracing {
  readonly runOptions: Uint8Array | null;
  tracer: RunTracer | undefined;
  /** A traced run is under way. */
  isBusy: boolean;
}

class NativeModel implements InferenceModel {
  readonly signatures: ReadonlyMap<string, Signature>;
  private readonly calls = new Map<string, CallHandle>();
  private disposal?: Promise<void>;

  constructor(
    private readonly binding: NativeBinding,
    private readonly session: SessionHandle,
    metaGraph: MetaGraph,
    private readonly tracing: Tracing,
  ) {
    this.signatures = metaGraph.signatures;
  }

  async predict(
    signature: Signature,
    members: readonly NamedTensors[],
    options: PredictOptions = {},
  ): Promise<Prediction> {
    const { call, outputs } = this.prepare(signature, options.outputs);
    const feeds = Array.from(signature.inputs.keys(), (name) => toFeed(name, members, options.padding));
    const { timeoutSeconds, background = false } = options;
    const runOptions = encodeRunOptions({ timeoutSeconds, onThisThread: background });
    const run = background ? this.binding.runInBackground : this.binding.run;
    const trace = this.beginTrace(signature, feeds, options);
    const result = trace
      ? await this.runTraced(call, feeds, trace)
      : await run(this.session, call, feeds, runOptions).catch(rethrow);
    const named = new Map<string, Tensor>();
    result.outputs.forEach((output, i) => {
      const name = outputs[i]?.name;
      const dtype = dtypeOf(output.dtype);
      if (name === undefined || dtype === undefined)
        throw new Error(`output ${i} of ${signature.name} has no name or dtype`);
      const { data } = output;
      const release =
        data instanceof Uint8Array ? () => this.binding.free(data.buffer as ArrayBuffer) : undefined;
      named.set(name, createTensor(dtype, output.shape, data, release));
    });
    return { outputs: named, queueMicros: result.queueMicros, runMicros: result.runMicros };
  }

  /** One run at a time: the record of a long loop takes gigabytes, and TensorFlow traces GPUs for one run only. */
  private beginTrace(
    signature: Signature,
    [first]: readonly Feed[],
    { background, padding }: PredictOptions,
  ): TracedRun | undefined {
    const { tracer, isBusy } = this.tracing;
    if (tracer === undefined || isBusy || background) return undefined;
    return tracer.begin(this, signature, (first?.shape[0] ?? 1) - (padding?.rows ?? 0));
  }

  private async runTraced(call: CallHandle, feeds: readonly Feed[], trace: TracedRun): Promise<RunResult> {
    const { binding, session, tracing } = this;
    tracing.isBusy = true;
    try {
      const result = await binding.runTraced(session, call, feeds, tracing.runOptions, trace.maxBytes);
      trace.ended(result.metadata);
      return result;
    } catch (error) {
      rethrow(error);
    } finally {
      tracing.isBusy = false;
    }
  }

  /** Resolves names to the graph's operations, once per signature and selection of outputs. */
  private prepare(
    signature: Signature,
    selection?: readonly string[],
  ): { call: CallHandle; outputs: TensorSpec[] } {
    let outputs = [...signature.outputs.values()];
    if (selection) outputs = outputs.filter(({ name }) => selection.includes(name));
    const key = JSON.stringify([signature.name, outputs.map(({ name }) => name)]);
    let call = this.calls.get(key);
    if (call === undefined && selection && this.calls.size >= preparedSelections + this.signatures.size) {
      return this.prepare(signature);
    }
    if (call === undefined) {
      const feeds = Array.from(signature.inputs.values(), ({ graphName }) => graphName);
      try {
        call = this.binding.prepare(
          this.session,
          feeds,
          outputs.map(({ graphName }) => graphName),
        );
      } catch (error) {
        rethrow(error);
      }
      this.calls.set(key, call);
    }
    return { call, outputs };
  }

  dispose(): Promise<void> {
    this.disposal ??= this.binding.releaseSession(this.session);
    return this.disposal;
  }
}

function toFeed(name: string, members: readonly NamedTensors[], padding: Padding | undefined): Feed {
  const { dtype, shape, data } = joinRows(inputOf(name, members), padding);
  return { dtype: dtypes[dtype].tf, shape, data };
}

/** TensorFlow's failures come as errors with its code; anything else is ours and stays as it is. */
function rethrow(error: unknown): never {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  if (isErrorCode(code)) throw new ServingError(code, messageOf(error));
  throw error;
}
