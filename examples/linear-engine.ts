/**
 * An engine of another format, as an application would bring it along: `linear.json` holds a matrix and a bias, and a model
 * computes `y = x · weights + bias`.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import {
  createTensor,
  type Engine,
  inputOf,
  joinTensors,
  type NamedTensors,
  type RunOptions,
  ServingError,
  type Signature,
  type Tensor,
} from 'tfjs-serving';

interface Linear {
  /** [inputs][outputs] */
  readonly weights: readonly (readonly number[])[];
  /** [outputs] */
  readonly bias: readonly number[];
}

export const linearEngine: Engine = {
  name: 'Linear',
  format: { name: 'linear model', mainFiles: ['linear.json'], tellingFiles: ['linear.json'] },
  async read(directory) {
    const text = await readFile(path.join(directory, 'linear.json'), 'utf8');
    const linear = parse(text);
    const signature = signatureOf(linear);
    return {
      signatures: new Map([[signature.name, signature]]),
      parameterCount: linear.weights.flat().length + linear.bias.length,
      byteLength: text.length,
      load: async () => ({
        predict: async (_, members, options) => ({
          outputs: new Map([['y', product(linear, members, options)]]),
        }),
      }),
    };
  },
};

function parse(text: string): Linear {
  const value: unknown = JSON.parse(text);
  if (!isLinear(value))
    throw new ServingError('INVALID_ARGUMENT', 'linear.json: expected `weights` and `bias`');
  return value;
}

function isLinear(value: unknown): value is Linear {
  return typeof value === 'object' && value !== null && 'weights' in value && 'bias' in value;
}

function signatureOf({ weights, bias }: Linear): Signature {
  const spec = (name: string, columns: number) =>
    new Map([[name, { name, dtype: 'float32', shape: [null, columns] } as const]]);
  return {
    name: 'serving_default',
    inputs: spec('x', weights.length),
    outputs: spec('y', bias.length),
    rows: { verdict: 'proven' },
  };
}

function product({ weights, bias }: Linear, members: readonly NamedTensors[], options?: RunOptions): Tensor {
  const made: Tensor[] = [];
  const x = joinTensors(inputOf('x', members), options?.padding, (tensor) => made.push(tensor));
  const values = x.dataSync();
  const rows = Array.from({ length: x.shape[0] ?? 0 }, (_, row) =>
    bias.map((start, column) =>
      weights.reduce(
        (sum, weight, i) => sum + (values[row * weights.length + i] ?? 0) * (weight[column] ?? 0),
        start,
      ),
    ),
  );
  for (const tensor of made) tensor.dispose();
  const bytes = new Uint8Array(Float32Array.from(rows.flat()).buffer);
  return createTensor('float32', [rows.length, bias.length], bytes);
}
