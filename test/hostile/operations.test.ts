/**
 * Which operations of TensorFlow end the process at some input: `make fuzz-operations`. Each operation is a model of its own;
 * its inputs have the rank that they must have, and odd dims and values. A server that dies is started again without the model
 * of the last request.
 */
import { cp, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { Client, type Elements, tensor } from '../../src/client/index.ts';
import type { Dtype } from '../../src/runtime/dtypes.ts';
import { type Attributes, GraphBuilder, inSavedModel } from '../fixtures/graph.ts';
import { TestServer } from '../fixtures/server.ts';
import { Random } from './random.ts';

const seconds = Number(process.env['FUZZ_OPERATIONS_SECONDS'] ?? 0);
const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000);

type Input = readonly [dtype: 'float32' | 'int32', rank: number];

interface Operation {
  readonly op: string;
  readonly inputs: readonly Input[];
  readonly attributes?: Attributes;
}

const float = (rank: number): Input => ['float32', rank];
const whole = (rank: number): Input => ['int32', rank];
const window = { ksize: [1, 2, 2, 1], strides: [1, 1, 1, 1], padding: 'VALID' };
const volume = { ksize: [1, 2, 2, 2, 1], strides: [1, 1, 1, 1, 1], padding: 'SAME' };

const operations: readonly Operation[] = [
  { op: 'Conv2D', inputs: [float(4), float(4)], attributes: { strides: [1, 1, 1, 1], padding: 'SAME' } },
  { op: 'Conv3D', inputs: [float(5), float(5)], attributes: { strides: [1, 1, 1, 1, 1], padding: 'SAME' } },
  {
    op: 'DepthwiseConv2dNative',
    inputs: [float(4), float(4)],
    attributes: { strides: [1, 1, 1, 1], padding: 'SAME' },
  },
  { op: 'MaxPool', inputs: [float(4)], attributes: window },
  { op: 'AvgPool', inputs: [float(4)], attributes: window },
  { op: 'MaxPool3D', inputs: [float(5)], attributes: volume },
  { op: 'AvgPool3D', inputs: [float(5)], attributes: volume },
  { op: 'LRN', inputs: [float(4)] },
  { op: 'MatMul', inputs: [float(2), float(2)] },
  { op: 'BatchMatMulV2', inputs: [float(3), float(3)] },
  { op: 'BatchMatMulV2', inputs: [float(4), float(2)] },
  { op: 'BiasAdd', inputs: [float(4), float(1)] },
  { op: 'Softmax', inputs: [float(2)] },
  { op: 'Gather', inputs: [float(2), whole(1)] },
  { op: 'GatherNd', inputs: [float(3), whole(2)] },
  { op: 'ScatterNd', inputs: [whole(2), float(1), whole(1)] },
  { op: 'Reshape', inputs: [float(2), whole(1)] },
  { op: 'Tile', inputs: [float(2), whole(1)] },
  { op: 'Pad', inputs: [float(2), whole(2)] },
  { op: 'MirrorPad', inputs: [float(2), whole(2)], attributes: { mode: 'REFLECT' } },
  { op: 'Slice', inputs: [float(2), whole(1), whole(1)] },
  { op: 'StridedSlice', inputs: [float(2), whole(1), whole(1), whole(1)] },
  { op: 'Transpose', inputs: [float(3), whole(1)] },
  { op: 'Cumsum', inputs: [float(2), whole(0)] },
  { op: 'Fill', inputs: [whole(1), float(0)] },
  { op: 'Range', inputs: [whole(0), whole(0), whole(0)] },
  { op: 'LinSpace', inputs: [float(0), float(0), whole(0)] },
  { op: 'OneHot', inputs: [whole(1), whole(0), float(0), float(0)] },
  { op: 'TopKV2', inputs: [float(2), whole(0)] },
  { op: 'SpaceToBatchND', inputs: [float(4), whole(1), whole(2)] },
  { op: 'BatchToSpaceND', inputs: [float(4), whole(1), whole(2)] },
  { op: 'DepthToSpace', inputs: [float(4)], attributes: { block_size: 2 } },
  { op: 'SpaceToDepth', inputs: [float(4)], attributes: { block_size: 2 } },
  { op: 'ResizeBilinear', inputs: [float(4), whole(1)] },
  { op: 'ResizeBicubic', inputs: [float(4), whole(1)] },
  { op: 'ResizeNearestNeighbor', inputs: [float(4), whole(1)] },
  { op: 'ResizeArea', inputs: [float(4), whole(1)] },
  { op: 'CropAndResize', inputs: [float(4), float(2), whole(1), whole(1)] },
  { op: 'NonMaxSuppressionV3', inputs: [float(2), float(1), whole(0), float(0), float(0)] },
  { op: 'SegmentSum', inputs: [float(2), whole(1)] },
  { op: 'UnsortedSegmentSum', inputs: [float(2), whole(1), whole(0)] },
  { op: 'Bincount', inputs: [whole(1), whole(0), float(1)] },
  { op: 'SparseToDense', inputs: [whole(2), whole(1), float(1), float(0)] },
  { op: 'MatrixDiagV3', inputs: [float(2), whole(0), whole(0), whole(0), float(0)] },
  { op: 'MatrixBandPart', inputs: [float(2), whole(0), whole(0)] },
  { op: 'ReverseSequence', inputs: [float(3), whole(1)], attributes: { seq_dim: 1 } },
  { op: 'RFFT', inputs: [float(2), whole(1)] },
  { op: 'IRFFT', inputs: [float(2), whole(1)] },
  { op: 'Cholesky', inputs: [float(2)] },
  { op: 'MatrixSolve', inputs: [float(2), float(2)] },
  { op: 'Svd', inputs: [float(2)] },
  { op: 'Roll', inputs: [float(2), whole(1), whole(1)] },
  { op: 'BroadcastTo', inputs: [float(2), whole(1)] },
  { op: 'Split', inputs: [whole(0), float(2)], attributes: { num_split: 2 } },
  { op: 'Unpack', inputs: [float(2)], attributes: { num: 2 } },
  { op: 'InTopKV2', inputs: [float(2), whole(1), whole(0)] },
  { op: 'DynamicPartition', inputs: [float(2), whole(1)], attributes: { num_partitions: 2 } },
  {
    op: 'RaggedTensorToTensor',
    inputs: [whole(1), float(1), float(0), whole(1)],
    attributes: { row_partition_types: ['ROW_SPLITS'] },
  },
];

const random = new Random(seed);

function below(limit: number): number {
  return random.below(limit);
}

function pick<Value>(values: readonly Value[]): Value {
  return values[below(values.length)] as Value;
}

/** What their whole numbers say is how large the output is: huge ones would only take the machine's memory. */
const sized =
  /^(Fill|Range|LinSpace|Tile|Pad|MirrorPad|OneHot|ScatterNd|BroadcastTo|Resize|CropAndResize|SparseToDense|Bincount|Unsorted|Matrix|RFFT|IRFFT|Ragged|SpaceToBatch)/;

const odd = {
  float32: [0, 1, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, -3e38, 1e-40],
  int32: [0, 1, 2, 3, -1, -2, 5, 64, 2 ** 31 - 1, -(2 ** 31), 2 ** 20],
};

/** A tensor of that rank, or seldom of another; as a rule with small dims that fit each other. */
function makeInput([dtype, rank]: Input, op: string) {
  const wrong = below(20) === 0 ? pick([-1, 1]) : 0;
  const shape = Array.from({ length: Math.max(0, rank + wrong) }, () => pick([1, 2, 2, 3, 3, 4, 5, 0, 17]));
  const count = shape.reduce((product, dim) => product * dim, 1);
  const tame = below(2) === 0;
  const limit = sized.test(op) ? 64 : Number.POSITIVE_INFINITY;
  const choices = dtype === 'float32' ? odd[dtype] : odd[dtype].filter((each) => Math.abs(each) <= limit);
  const values: Elements[] = Array.from({ length: count }, () => (tame ? below(4) : pick(choices)));
  const data =
    dtype === 'float32' ? Float32Array.from(values as number[]) : Int32Array.from(values as number[]);
  return tensor(data, shape, dtype satisfies Dtype);
}

async function makeModel(root: string, name: string, { op, inputs, attributes }: Operation): Promise<void> {
  const graph = new GraphBuilder();
  const refs = inputs.map(([dtype, rank]) => {
    const shape = Array<null>(rank).fill(null);
    return { ref: graph.placeholder(dtype, shape), shape };
  });
  const y = graph.first(
    op,
    refs.map(({ ref }) => ref),
    attributes,
  );
  const signature = {
    inputs: Object.fromEntries(refs.map((each, i) => [`x${i}`, each])),
    outputs: { y: { ref: y, shape: null } },
  };
  await inSavedModel(
    graph.encode(),
    async (directory) => {
      const staged = path.join(root, `.${name}`);
      await cp(directory, path.join(staged, '1'), { recursive: true });
      await rename(staged, path.join(root, name));
    },
    signature,
  );
}

/** A server that dies while it starts has died of a model, which the next one passes over. */
async function start(root: string, stateDir: string, died: (name: string) => void): Promise<TestServer> {
  const flags = ['--trial', 'off', '--max-batch-size', '1', '--request-timeout', '10', '--settle', '0.1'];
  for (;;) {
    try {
      return await TestServer.start({ args: ['--model-path', root, '--state-dir', stateDir, ...flags] });
    } catch (error) {
      const loading = [...String(error).matchAll(/loading (\S+) version 1/g)].at(-1)?.[1];
      if (loading === undefined) throw error;
      died(loading);
      await rm(path.join(root, loading), { recursive: true });
    }
  }
}

it.runIf(seconds > 0)(
  'operations are asked for odd things',
  async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-operations-'));
    const root = path.join(folder, 'models');
    const names = new Map<string, Operation>();
    const end = performance.now() + seconds * 1000;
    const deaths: string[] = [];
    const failed: string[] = [];
    const died = (how: string) => (name: string) => {
      deaths.push(`${name} ${how}`);
      names.delete(name);
    };
    let server: TestServer | undefined;
    let requests = 0;
    let answers = 0;
    try {
      for (const [i, operation] of operations.entries()) {
        const name = `${operation.op}-${i}`;
        try {
          await makeModel(root, name, operation);
          names.set(name, operation);
        } catch (error) {
          failed.push(`${name}: ${error}`);
        }
      }
      server = await start(root, path.join(folder, 'state'), died('at its warm-up'));
      while (performance.now() < end && names.size > 0) {
        const [name, { op, inputs }] = pick([...names]);
        const made = inputs.map((input) => makeInput(input, op));
        requests += 1;
        const { child, url } = server;
        const isRight = await new Client(url)
          .infer(Object.fromEntries(made.map((each, i) => [`x${i}`, each])), { model: name })
          .then(
            () => true,
            () => false,
          );
        if (isRight) answers += 1;
        if (child.exitCode === null && child.signalCode === null && !(await isGone(server))) continue;
        const said =
          server.log.split('\n').findLast((line) => /Check failed|\(\): |corruption/.test(line)) ?? '';
        const shapes = made
          .map(({ dtype, shape, data }) => `${dtype}[${shape}] ${String(data).slice(0, 40)}`)
          .join('; ');
        died(`${child.signalCode} at ${shapes}: ${said}`)(name);
        await rm(path.join(root, name), { recursive: true });
        server = await start(root, path.join(folder, 'state'), died('at its warm-up'));
      }
    } finally {
      await server?.stop('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    }
    console.log(
      [
        `seed ${seed}: ${requests} requests to ${operations.length} operations, ${answers} answered 200`,
        ...failed,
        ...deaths,
      ].join('\n'),
    );
    expect(requests).toBeGreaterThan(0);
  },
  (seconds + 1800) * 1000,
);

/** An answer that did not come may be the last word of the process. */
async function isGone(server: TestServer): Promise<boolean> {
  return server.fetch('/health/live').then(
    () => false,
    () => true,
  );
}
