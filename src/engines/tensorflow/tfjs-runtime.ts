/**
 * The runtime over tfjs-node's `tf.node.loadSavedModel`. Tests compare with it, and it is the fallback where our addon
 * cannot be built.
 *
 * Its loads and runs block the event loop. It gives only float32, int32, int64, bool, string and complex64 outputs,
 * takes int64 as int32, and leaks the inputs of each failing run.
 */
import { messageOf, ServingError } from '../../errors.js';
import type { TensorFlowJs } from '../../tfjs/open.js';
import { inputOf, joinTensors } from '../../tfjs/rows.js';
import { createTensor, type NamedTensors, type Tensor, viewTensor } from '../../tfjs/tensors.js';
import { microsSince, now } from '../../time.js';
import { type InferenceModel, plainMode, type RunOptions, type RunResult } from '../inference-model.js';
import type { MetaGraph, Signature } from '../signature.js';
import { type ComputeOptions, chooseComputeMode } from './compute-mode.js';
import { whyNotInline } from './operations/bounded-operations.js';
import { splitOutputs } from './passed-outputs.js';
import { type Runtime, savedModelPlatform, savedModelType } from './runtime.js';
import { TensorFlowError } from './tensorflow-error.js';

type SavedModel = Awaited<ReturnType<TensorFlowJs['node']['loadSavedModel']>>;

/** @param options of which only those for GPUs have an effect */
export function tfjsRuntime(
  tf: TensorFlowJs,
  { opLibraries, ...options }: ComputeOptions & { readonly opLibraries: readonly string[] },
): Runtime {
  const { isUsingGpuDevice, tensorflowVersion } = factsOf(tf.backend());
  const device = isUsingGpuDevice ? 'gpu' : 'cpu';
  const { mode, warnings } = chooseComputeMode(
    { ...options, xla: false, mixedPrecision: false },
    device,
    () => undefined,
  );
  return {
    kind: 'tfjs',
    whyNoTrace: "--runtime tfjs gives no traces of TensorFlow's operations: serve with --runtime native",
    tensorflowVersion,
    versions: { tensorflow: tensorflowVersion },
    devices: [{ name: device, type: device.toUpperCase(), memoryBytes: 0 }],
    device,
    mode,
    warnings,
    opLibraries,
    async load(directory, metaGraph) {
      const models = new Map<string, SavedModel>();
      try {
        // tfjs-node shares one session between the signatures of a folder.
        for (const { name, composites } of metaGraph.signatures.values()) {
          if (composites) continue;
          models.set(name, await tf.node.loadSavedModel(directory, [...metaGraph.tags], name));
        }
      } catch (error) {
        for (const model of models.values()) model.dispose();
        throw new TensorFlowError('INTERNAL', messageOf(error));
      }
      return new TfjsModel(metaGraph, models, device);
    },
    counters: () => ({ sessions: tf.node.getNumOfSavedModels() }),
    exitNow: (code) => process.exit(code),
  };
}

function factsOf(backend: object): { isUsingGpuDevice: boolean; tensorflowVersion: string } {
  const binding: unknown = Reflect.get(backend, 'binding');
  const version: unknown =
    typeof binding === 'object' && binding !== null ? Reflect.get(binding, 'TF_Version') : undefined;
  return {
    isUsingGpuDevice: Reflect.get(backend, 'isUsingGpuDevice') === true,
    tensorflowVersion: String(version),
  };
}

class TfjsModel implements InferenceModel {
  readonly signatures: ReadonlyMap<string, Signature>;
  readonly type = savedModelType;
  readonly platform = savedModelPlatform;
  /** tfjs-node opens TensorFlow in this mode. */
  readonly mode = plainMode;
  readonly isTraced = false;
  private disposed = false;

  constructor(
    metaGraph: MetaGraph,
    private readonly models: ReadonlyMap<string, SavedModel>,
    private readonly device: 'cpu' | 'gpu',
  ) {
    this.signatures = metaGraph.signatures;
  }

  whyNotInline(signature: Signature): string | undefined {
    return whyNotInline(signature, this.device);
  }

  /** Runs a signature. tfjs-node can only block the thread meanwhile. */
  async predict(
    signature: Signature,
    members: readonly NamedTensors[],
    options?: RunOptions,
  ): Promise<RunResult> {
    return this.predictHere(signature, members, options);
  }

  predictHere(
    signature: Signature,
    members: readonly NamedTensors[],
    options: Pick<RunOptions, 'outputs' | 'padding'> = {},
  ): RunResult {
    const started = now();
    if (signature.composites)
      throw new ServingError(
        'UNIMPLEMENTED',
        `\`${signature.name}\` has a sparse or ragged tensor, which --runtime tfjs cannot run: serve with --runtime native`,
      );
    const model = this.models.get(signature.name);
    if (!model) throw new ServingError('NOT_FOUND', `no signature \`${signature.name}\``);
    for (const { name, dtype } of signature.outputs.values()) {
      if (dtype === 'uint8' && (options.outputs?.includes(name) ?? true)) {
        throw new ServingError(
          'UNIMPLEMENTED',
          `output \`${name}\` is ${dtype}, which --runtime tfjs cannot read: serve with --runtime native`,
        );
      }
    }
    // tfjs-node fetches all outputs of a signature, whichever are wanted.
    const [passed] = splitOutputs(signature, [...signature.outputs.values()]).passed;
    if (passed)
      throw new ServingError(
        'UNIMPLEMENTED',
        `output \`${passed.output}\` is input \`${passed.input}\` as it came, which --runtime tfjs cannot give: serve with --runtime native`,
      );
    // tfjs-node takes a plain object. Without a prototype, every name is only a name.
    const feed: Record<string, Tensor> = Object.create(null);
    const made: Tensor[] = [];
    for (const name of signature.inputs.keys()) {
      feed[name] = joinTensors(inputOf(name, members), options.padding, (tensor) => made.push(tensor));
    }
    let result: ReturnType<SavedModel['predict']>;
    try {
      result = model.predict(feed);
    } catch (error) {
      throw new TensorFlowError('INVALID_ARGUMENT', messageOf(error));
    } finally {
      for (const tensor of made) tensor.dispose();
    }
    const outputs = new Map<string, Tensor>();
    for (const [name, tensor] of Object.entries(result)) {
      const isWanted = options.outputs?.includes(name) ?? true;
      if (isWanted && tensor.dtype !== 'string') {
        outputs.set(name, tensor);
        continue;
      }
      // tfjs-node empties the strings of an input when it is disposed, even if an output shares them.
      if (isWanted) outputs.set(name, copyOfStrings(tensor));
      tensor.dispose();
    }
    return { outputs, queueMicros: 0, runMicros: Math.round(microsSince(started)) };
  }

  async dispose(): Promise<void> {
    if (this.disposed) return;
    this.disposed = true;
    for (const model of this.models.values()) model.dispose();
  }
}

function copyOfStrings(tensor: Tensor): Tensor {
  const { shape, data } = viewTensor(tensor);
  return createTensor('string', shape, data);
}
