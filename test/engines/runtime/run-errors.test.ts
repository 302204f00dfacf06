/**
 * If TensorFlow refuses the values of a run, the request is refused, whatever the code: a kernel's NOT_FOUND or ABORTED
 * does not mean a model of ours, and its INTERNAL no fault.
 */
import { expect, it } from 'vitest';
import { readSavedModel } from '../../../src/engines/tensorflow/saved-model/read.ts';
import { runError } from '../../../src/engines/tensorflow/tensorflow-error.ts';
import { type Dtype, elementCount } from '../../../src/tensors/dtypes.ts';
import { createTensor, disposeTensors } from '../../../src/tfjs/tensors.ts';
import { type Attributes, GraphBuilder, inSavedModel } from '../../fixtures/graph.ts';
import { openRuntimeForTests, openTestRuntime, signatureOf } from '../../fixtures/runtime.ts';

openRuntimeForTests();

interface Input {
  readonly dtype: Exclude<Dtype, 'string'>;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

function int32(...values: readonly number[]): Input {
  return {
    dtype: 'int32',
    shape: [values.length],
    bytes: new Uint8Array(Int32Array.from(values).buffer),
  };
}

function int64(shape: readonly number[], ...values: readonly number[]): Input {
  return { dtype: 'int64', shape, bytes: new Uint8Array(BigInt64Array.from(values, BigInt).buffer) };
}

/** Zeros. */
function float32(...shape: readonly number[]): Input {
  return { dtype: 'float32', shape, bytes: new Uint8Array(4 * elementCount(shape)) };
}

function uint8(...shape: readonly number[]): Input {
  return { dtype: 'uint8', shape, bytes: new Uint8Array(elementCount(shape)) };
}

/** What a model of one operation says of its inputs. */
function failureOf(op: string, inputs: readonly Input[], attributes: Attributes = {}): Promise<unknown> {
  const graph = new GraphBuilder();
  const refs = inputs.map(({ dtype }) => graph.placeholder(dtype, null));
  const y = graph.first(op, refs, attributes);
  const signature = {
    inputs: Object.fromEntries(refs.map((ref, i) => [`x${i}`, { ref, shape: null }])),
    outputs: { y: { ref: y, shape: null } },
  };
  return inSavedModel(
    graph.encode(),
    async (directory) => {
      const { metaGraph } = await readSavedModel(directory, ['serve']);
      const model = await openTestRuntime().load(directory, metaGraph);
      const tensors = new Map(
        inputs.map(({ dtype, shape, bytes }, i) => [`x${i}`, createTensor(dtype, shape, bytes)]),
      );
      try {
        return await model.predict(signatureOf(model, 'serving_default'), [tensors]).catch((error) => error);
      } finally {
        disposeTensors(tensors);
        await model.dispose();
      }
    },
    signature,
  );
}

const sparse = [int64([1, 2], 5, 0), int64([1], 1), int64([2], 1, 1)] as const;

it.each<[op: string, inputs: readonly Input[], text: string]>([
  ['TruncateDiv', [int32(1), int32(0)], 'Unexpected error in binary operator'],
  ['TruncateMod', [int32(1), int32(0)], 'Unexpected error in binary operator'],
  ['EditDistance', [...sparse, ...sparse], 'Got an inner product 5'],
  ['EncodePng', [uint8(0, 0, 1)], 'PNG encoding failed'],
  // The first is oneDNN's, which some processors do without.
  ['Softmax', [float32()], 'Input dims must be|logits must have >= 1 dimension'],
  ['HSVToRGB', [float32(2, 2)], 'input must have 3 channels'],
])('what %s refuses in a run is INVALID_ARGUMENT', async (op, inputs, text) => {
  expect(await failureOf(op, inputs)).toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringMatching(text),
  });
});

it.each([
  ['NOT_FOUND', 'Container a does not exist. [[{{node Read}}]]', 'INVALID_ARGUMENT'],
  [
    'NOT_FOUND',
    'Resource localhost/v/N10tensorflow3VarE does not exist. [[{{node Gather}}]]',
    'FAILED_PRECONDITION',
  ],
  ['FAILED_PRECONDITION', 'Table not initialized. [[{{node Find}}]]', 'FAILED_PRECONDITION'],
  ['FAILED_PRECONDITION', 'Could not find variable w. [[{{node Read}}]]', 'FAILED_PRECONDITION'],
  ['FAILED_PRECONDITION', 'the session is closed', 'FAILED_PRECONDITION'],
  ['NOT_FOUND', "No registered 'Fact' OpKernel for CPU devices", 'UNIMPLEMENTED'],
  ['INTERNAL', 'something else [[{{node Add}}]]', 'INTERNAL'],
  ['RESOURCE_EXHAUSTED', 'OOM [[{{node Add}}]]', 'RESOURCE_EXHAUSTED'],
] as const)('%s: %s', (code, message, expected) => {
  expect(runError(code, message)).toMatchObject({ code: expected, message });
});
