/** Runs tf.js models that a handler has loaded. They run on the event loop, one batch at a time. */
import type * as tfjs from '@tensorflow/tfjs-node-gpu';
import {
  type InferenceModel,
  plainMode,
  type RunOptions,
  type RunResult,
} from '../engines/inference-model.js';
import type { Signature, TensorSpec } from '../engines/signature.js';
import { TensorFlowError } from '../engines/tensorflow/tensorflow-error.js';
import { messageOf, ServingError } from '../errors.js';
import type { SeenDtype } from '../tensors/dtypes.js';
import { inputOf, joinTensors } from '../tfjs/rows.js';
import { TensorScope } from '../tfjs/tensor-scope.js';
import { type NamedTensors, reshapeTensor, type Tensor } from '../tfjs/tensors.js';
import { microsSince, now } from '../time.js';
import { handlerSignatureName } from './handler-signature.js';

/** What the layers models and graph models of tf.js have in common. */
interface TfModel {
  readonly inputs: readonly TfSpec[];
  readonly outputs: readonly TfSpec[];
  predict(inputs: tfjs.Tensor[]): tfjs.Tensor | tfjs.Tensor[];
  /** Only graph models have it. */
  predictAsync?(inputs: tfjs.NamedTensorMap): Promise<tfjs.Tensor | tfjs.Tensor[] | tfjs.NamedTensorMap>;
}

interface TfSpec {
  readonly name: string;
  readonly dtype?: string | undefined;
  readonly shape?: readonly (number | null)[] | undefined;
}

/** True for a `tf.LayersModel` or a `tf.GraphModel`. */
export function isTfModel(value: unknown): value is TfModel {
  if (typeof value !== 'object' || value === null) return false;
  return (
    'predict' in value &&
    typeof value.predict === 'function' &&
    'inputs' in value &&
    Array.isArray(value.inputs) &&
    'outputs' in value &&
    Array.isArray(value.outputs)
  );
}

/** Does not dispose the model's weights: they belong to the scope in which the model was loaded. */
export class TfModelAdapter implements InferenceModel {
  readonly type = 'TensorFlow.js model';
  readonly platform = this.type;
  readonly mode = plainMode;
  readonly isTraced = false;
  readonly signature: Signature;
  readonly signatures: ReadonlyMap<string, Signature>;

  constructor(private readonly model: TfModel) {
    this.signature = {
      name: handlerSignatureName,
      inputs: toSpecs(model.inputs),
      // A graph may not know the shapes of its outputs.
      outputs: model.outputs.every(({ shape }) => shape) ? toSpecs(model.outputs) : new Map(),
    };
    this.signatures = new Map([[handlerSignatureName, this.signature]]);
  }

  whyNotInline(): string {
    return 'no graph tells what its runs do';
  }

  async predict(
    { inputs }: Signature,
    members: readonly NamedTensors[],
    { padding, outputs: selection }: RunOptions = {},
  ): Promise<RunResult> {
    const started = now();
    const scope = new TensorScope();
    try {
      const given = Array.from(inputs.keys(), (name) =>
        joinTensors(inputOf(name, members), padding, (tensor) => scope.add(tensor)),
      );
      const made = await scope.run(() => this.run(given)).catch(refused);
      const taken = new Map<string, Tensor>();
      for (const [i, name] of [...toSpecs(this.model.outputs).keys()].entries()) {
        const tensor = made[i] as Tensor;
        if (!selection || selection.includes(name)) taken.set(name, reshapeTensor(tensor, tensor.shape));
      }
      return { outputs: taken, queueMicros: 0, runMicros: microsSince(started) };
    } finally {
      scope.dispose();
    }
  }

  /** The outputs, in order. */
  private async run(given: Tensor[]): Promise<readonly tfjs.Tensor[]> {
    const { model } = this;
    if (!model.predictAsync) return [model.predict(given)].flat();
    // The loops and conditions of a graph wait for values.
    const feeds = Object.fromEntries(model.inputs.map(({ name }, i) => [name, given[i] as Tensor]));
    const made = await model.predictAsync(feeds);
    if (Array.isArray(made)) return made;
    if ('dataSync' in made) return [made as tfjs.Tensor];
    return model.outputs.map(({ name }) => (made as tfjs.NamedTensorMap)[name] as tfjs.Tensor);
  }

  predictHere(): never {
    throw new Error('models of tf.js are never run inline');
  }

  /** The weights are disposed with the scope in which they were made. */
  async dispose(): Promise<void> {}
}

/** Refuses a run as TensorFlow does: the inputs do not fit this model, or it has an operation that tf.js lacks. */
function refused(error: unknown): never {
  throw error instanceof ServingError ? error : new TensorFlowError('INVALID_ARGUMENT', messageOf(error));
}

const seen: readonly string[] = ['float32', 'int32', 'bool', 'complex64', 'string'] satisfies SeenDtype[];

function toSpecs(specs: readonly TfSpec[]): ReadonlyMap<string, TensorSpec> {
  return new Map(
    specs.map(({ name: ofGraph, dtype = 'float32', shape }) => {
      const name = ofGraph.replace(/:0$/, '');
      const known = seen.includes(dtype) ? (dtype as SeenDtype) : 'float32';
      const dims = shape?.map((dim) => (dim === null || dim < 0 ? null : dim)) ?? null;
      return [name, { name, dtype: known, shape: dims }];
    }),
  );
}
