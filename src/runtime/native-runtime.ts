/**
 * The runtime that never blocks the event loop: loads and runs go to threads of our addon (`native/`).
 */
import { isErrorCode, messageOf, ServingError } from '../errors.js';
import { encodeRunOptions } from './config-proto.js';
import { dtypeOf, dtypes } from './dtypes.js';
import type { CallHandle, Feed, NativeBinding, RunResult, SessionHandle } from './native.js';
import { inputOf, joinRows, type Padding } from './rows.js';
import type { Device, InferenceModel, Prediction, PredictOptions, Runtime } from './runtime.js';
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
  return {
    kind: 'native',
    tensorflowVersion: binding.tensorflowVersion,
    devices,
    device: devices.some(({ type }) => type === 'GPU') ? 'gpu' : 'cpu',
    async load(directory, metaGraph) {
      const session = await binding.loadSession(directory, [...metaGraph.tags], sessionConfig).catch(rethrow);
      return new NativeModel(binding, session, metaGraph);
    },
    counters: () => ({ ...binding.counters() }),
    exitNow: (code) => binding.exitNow(code),
  };
}

interface PreparedCall {
  readonly call: CallHandle;
  readonly outputs: readonly TensorSpec[];
}

class NativeModel implements InferenceModel {
  readonly signatures: ReadonlyMap<string, Signature>;
  /** With all outputs of a signature, and with some of them. */
  private readonly wholeCalls = new Map<Signature, PreparedCall>();
  private readonly calls = new Map<string, PreparedCall>();
  private disposal?: Promise<void>;

  constructor(
    private readonly binding: NativeBinding,
    private readonly session: SessionHandle,
    metaGraph: MetaGraph,
  ) {
    this.signatures = metaGraph.signatures;
  }

  async predict(
    signature: Signature,
    members: readonly NamedTensors[],
    options: PredictOptions = {},
  ): Promise<Prediction> {
    const { call, outputs } = this.prepare(signature, options.outputs);
    const feeds = toFeeds(signature, members, options.padding);
    const { timeoutSeconds, background = false } = options;
    const runOptions = encodeRunOptions({ timeoutSeconds, onThisThread: background });
    const run = background ? this.binding.runInBackground : this.binding.run;
    const result = await run(this.session, call, feeds, runOptions).catch(rethrow);
    return this.toPrediction(signature, outputs, result);
  }

  predictHere(
    signature: Signature,
    members: readonly NamedTensors[],
    options: Pick<PredictOptions, 'outputs' | 'padding'> = {},
  ): Prediction {
    const { call, outputs } = this.prepare(signature, options.outputs);
    const feeds = toFeeds(signature, members, options.padding);
    let result: RunResult;
    try {
      result = this.binding.runHere(this.session, call, feeds);
    } catch (error) {
      rethrow(error);
    }
    return this.toPrediction(signature, outputs, result);
  }

  private toPrediction(signature: Signature, outputs: readonly TensorSpec[], result: RunResult): Prediction {
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

  /** Resolves names to the graph's operations, once per signature and selection of outputs. */
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
    const feeds = Array.from(signature.inputs.values(), ({ graphName }) => graphName);
    const fetches = outputs.map(({ graphName }) => graphName);
    try {
      return { call: this.binding.prepare(this.session, feeds, fetches), outputs };
    } catch (error) {
      rethrow(error);
    }
  }

  dispose(): Promise<void> {
    this.disposal ??= this.binding.releaseSession(this.session);
    return this.disposal;
  }
}

function toFeeds(
  { inputs }: Signature,
  members: readonly NamedTensors[],
  padding: Padding | undefined,
): Feed[] {
  return Array.from(inputs.keys(), (name) => {
    const { dtype, shape, data } = joinRows(inputOf(name, members), padding);
    return { dtype: dtypes[dtype].tf, shape, data };
  });
}

/** TensorFlow's failures come as errors with its code; anything else is ours and stays as it is. */
function rethrow(error: unknown): never {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  if (isErrorCode(code)) throw new ServingError(code, messageOf(error));
  throw error;
}
