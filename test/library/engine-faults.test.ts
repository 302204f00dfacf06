/**
 * An engine that does not give what it promises: its callers are told, and are never given something else as an answer.
 */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  createServer,
  createTensor,
  type Engine,
  type InferenceModel,
  type NamedTensors,
  type RunResult,
  type Server,
  type Signature,
  type Tensor,
} from '#dist/index.js';
import { TestRepository } from '../fixtures/repository.ts';
import { until } from '../fixtures/until.ts';

type Fault = (outputs: Map<string, Tensor>) => unknown;

/** What goes wrong in the next runs. */
let fault: Fault = (outputs) => outputs;
let runMicros = 1;

function specs(...names: string[]): Signature['inputs'] {
  return new Map(
    names.map((name) => [name, { name, dtype: 'float32', shape: [null], graphName: name } as const]),
  );
}

const signature: Signature = {
  name: 'serving_default',
  inputs: specs('a', 'b'),
  outputs: specs('sum', 'product'),
  rows: { verdict: 'proven', why: '' },
};

const floats = (values: readonly number[], shape = [values.length]) =>
  createTensor('float32', shape, new Uint8Array(Float32Array.from(values).buffer));

function run(members: readonly NamedTensors[]): RunResult {
  const [a = [], b = []] = ['a', 'b'].map((name) =>
    members.flatMap((inputs) => [...(inputs.get(name)?.dataSync() ?? [])].map(Number)),
  );
  const rows = a.map((value, i) => [value, b[i] ?? 0] as const);
  const outputs = new Map([
    ['sum', floats(rows.map(([x, y]) => x + y))],
    ['product', floats(rows.map(([x, y]) => x * y))],
  ]);
  return { outputs: fault(outputs) as NamedTensors, queueMicros: 0, runMicros };
}

const model: InferenceModel = {
  signatures: new Map([[signature.name, signature]]),
  type: 'sums',
  mode: { xla: false, mixedPrecision: undefined },
  isTraced: false,
  whyNotInline: () => undefined,
  predictHere: (_, members) => run(members),
  predict: async (_, members) => run(members),
  dispose: async () => {},
};

const engine: Engine = {
  name: 'Sums',
  format: { name: 'sum', mainFiles: ['sum.json'], tellingFiles: [] },
  read: async () => ({
    metaGraph: { tags: [], signatures: model.signatures, unusable: [] },
    parameterCount: 0,
    byteLength: 0,
    load: async () => model,
  }),
};

let repository: TestRepository;
let server: Server;

beforeAll(async () => {
  repository = await TestRepository.create();
  await publish('sums');
  server = createServer({
    ...{ port: 0, host: '127.0.0.1', logLevel: 'silent', settle: 0.1, engines: [engine] },
    modelPath: repository.root,
  });
  await server.start();
});

afterAll(async () => {
  await server.close();
  await repository.remove();
});

async function publish(name: string): Promise<void> {
  await mkdir(repository.path(`.${name}`, 1), { recursive: true });
  await writeFile(repository.path(`.${name}`, 1, 'sum.json'), '{}');
  await rename(repository.path(`.${name}`), repository.path(name));
}

const ask = (a: number[], b: number[], outputs?: readonly string[]) =>
  server.predict({ model: 'sums', inputs: { a, b }, ...(outputs && { outputs }) });

async function whileFaulty<Result>(next: Fault, use: () => Promise<Result>, micros = 1) {
  fault = next;
  runMicros = micros;
  try {
    return await use();
  } finally {
    fault = (outputs) => outputs;
    runMicros = 1;
  }
}

it('gives the outputs that are asked for, whatever the engine gives besides', async () => {
  const { tf } = server;
  const before = tf.memory().numTensors;
  const { outputs, dispose } = await ask([1, 2], [3, 4], ['product']);
  expect(Object.entries(outputs).map(([name, tensor]) => [name, ...tensor.dataSync()])).toEqual([
    ['product', 3, 8],
  ]);
  dispose();
  expect(tf.memory().numTensors).toBe(before);
});

function replaced(name: string, make: () => Tensor): Fault {
  return (outputs) => {
    outputs.get(name)?.dispose();
    return outputs.set(name, make());
  };
}

function dispose(outputs: Map<string, Tensor>): void {
  for (const tensor of outputs.values()) tensor.dispose();
}

it.each<[string, Fault, string]>([
  [
    'no outputs',
    (outputs) => {
      dispose(outputs);
      return new Map();
    },
    'to give output `sum` for the model `sums`, got no outputs',
  ],
  ['an output that there is not', replaced('other', () => floats([1, 2])), 'got `other`'],
  ['too few rows', replaced('sum', () => floats([1])), 'output `sum` as float32 [2]'],
  ['another rank', replaced('sum', () => floats([1, 2], [2, 1])), 'got float32 [2, 1]'],
  ['another dtype', replaced('sum', () => createTensor('int32', [2], new Uint8Array(8))), 'got int32 [2]'],
  [
    'no Map',
    (outputs) => {
      dispose(outputs);
      return { sum: [1, 2] };
    },
    '`outputs` as a Map',
  ],
])('says so of an engine that gives %s', async (_, next, message) => {
  const before = server.tf.memory().numTensors;
  const asked = whileFaulty(next, () => ask([1, 2], [3, 4]));
  await expect(asked).rejects.toMatchObject({ code: 'INTERNAL', message: expect.stringContaining(message) });
  await expect(asked).rejects.toThrow('the engine `Sums`');
  expect(server.tf.memory().numTensors).toBe(before);
});

it('says so of an engine that does not measure its runs', async () => {
  const asked = whileFaulty(
    (outputs) => outputs,
    () => ask([1], [2]),
    Number.NaN,
  );
  await expect(asked).rejects.toThrow('`runMicros` as microseconds for the model `sums`, got NaN');
});

it('refuses inputs whose rows do not agree, before the engine sees them', async () => {
  await expect(ask([1], [2, 3])).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining('got `a` [1] and `b` [2]'),
  });
});

it('serves no version that does not give its outputs when it is warmed up', async () => {
  await whileFaulty(
    () => new Map(),
    async () => {
      await publish('damaged');
      await toldOf('damaged', 'got no outputs');
    },
  );
});

it('makes no batches where one run takes longer than a request should wait', async () => {
  const unchanged: Fault = (outputs) => outputs;
  await whileFaulty(unchanged, () => publish('long').then(() => toldOf('long', 'AVAILABLE')), 150_000);
  await toldOf('long', 'alone: larger batches would keep requests waiting, since a run takes over 0.1 s');
});

/** Waits until the server says something of a model. */
async function toldOf(model: string, text: string): Promise<void> {
  const status = async () => (await fetch(`${server.address}/models/${model}`)).text();
  await until(async () => (await status()).includes(text), `\`${text}\` to be said of \`${model}\``);
}
