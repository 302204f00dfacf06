/** An engine that breaks its contract: callers get an error, and never something else as an answer. */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  createServer,
  createTensor,
  type Engine,
  type EngineModel,
  type EngineRun,
  type FoundModel,
  type NamedTensors,
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
  return new Map(names.map((name) => [name, { name, dtype: 'float32', shape: [null] } as const]));
}

const signature: Signature = {
  name: 'serving_default',
  inputs: specs('a', 'b'),
  outputs: specs('sum', 'product'),
  rows: { verdict: 'proven' },
};

const floats = (values: readonly number[], shape = [values.length]) =>
  createTensor('float32', shape, new Uint8Array(Float32Array.from(values).buffer));

function run(members: readonly NamedTensors[]): EngineRun {
  const [a = [], b = []] = ['a', 'b'].map((name) =>
    members.flatMap((inputs) => [...(inputs.get(name)?.dataSync() ?? [])].map(Number)),
  );
  const rows = a.map((value, i) => [value, b[i] ?? 0] as const);
  const outputs = new Map([
    ['sum', floats(rows.map(([x, y]) => x + y))],
    ['product', floats(rows.map(([x, y]) => x * y))],
  ]);
  return { outputs: fault(outputs) as NamedTensors, runMicros };
}

/** Runs on the event loop and on threads alike. */
const model: EngineModel = {
  predictHere: (_, members) => run(members),
  predict: async (_, members) => run(members),
};

const sums: FoundModel = {
  signatures: new Map([[signature.name, signature]]),
  parameterCount: 0,
  byteLength: 0,
  load: async () => model,
};

/** What is found of each model, by its name; of all others, {@link sums}. */
const found = new Map<string, () => unknown>();

const engine: Engine = {
  name: 'Sums',
  format: { name: 'sum', mainFiles: ['sum.json'], tellingFiles: [] },
  read: async (directory) => {
    const find = found.get(path.basename(path.dirname(directory)));
    return find ? (find() as FoundModel) : sums;
  },
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
  [
    'no tensor',
    (outputs) => {
      outputs.get('sum')?.dispose();
      return new Map<string, unknown>(outputs).set('sum', [1, 2]);
    },
    'output `sum` as a tensor for the model `sums`, got something else',
  ],
  [
    'a tensor that is disposed',
    (outputs) => {
      outputs.get('sum')?.dispose();
      return outputs;
    },
    'output `sum` as a tensor for the model `sums`, got one that is disposed',
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

it.each<[string, object, string]>([
  ['a name', { name: '' }, '`name` as a text, got ``'],
  ['a format', { format: undefined }, 'the engine `Sums` to have `format.name` as a text, got undefined'],
  [
    'main files',
    { format: { ...engine.format, mainFiles: [] } },
    '`format.mainFiles` as a list of names, got a list',
  ],
  [
    'telling files',
    { format: { name: 'sum', mainFiles: ['a'] } },
    '`format.tellingFiles` as a list of names',
  ],
  ['`read`', { read: {} }, '`read` as a function, got an object'],
])('refuses an engine without %s before a server is made', (_, other, message) => {
  const engines = [{ ...engine, ...other } as Engine];
  expect(() => createServer({ engines, modelPath: repository.root, listen: false })).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(message) }),
  );
});

it('refuses inputs whose rows do not agree, before the engine sees them', async () => {
  await expect(ask([1], [2, 3])).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining('got `a` [1] and `b` [2]'),
  });
});

it.each<[string, () => never]>([
  [
    'throws an error that is for no caller',
    () => {
      throw new TypeError('/secret/path');
    },
  ],
  [
    'throws no Error',
    () => {
      throw '/secret/path';
    },
  ],
])('keeps the text in the log where an engine %s', async (_, next) => {
  const asked = whileFaulty(next, () => ask([1, 2], [3, 4]));
  await expect(asked).rejects.toMatchObject({
    code: 'INTERNAL',
    message: expect.stringMatching(
      /^the engine `Sums` failed in `predict(Here)?` for the model `sums`; the log/,
    ),
  });
});

it('says the same of a version that an engine fails to read, to load or to warm up', async () => {
  const fail = () => {
    throw new TypeError('/secret/path');
  };
  found.set('unread', fail);
  found.set('unloaded', () => ({ ...sums, load: fail }));
  found.set('unwarmed', () => ({ ...sums, load: async () => ({ predict: fail }) }));
  for (const [name, member] of [
    ['unread', 'read'],
    ['unloaded', 'load'],
    ['unwarmed', 'predict'],
  ] as const) {
    await publish(name);
    await toldOf(name, `the engine \`Sums\` failed in \`${member}\` for the model \`${name}\`; the log`);
    expect(await statusOf(name)).not.toContain('secret');
  }
});

it.each<[string, unknown, string]>([
  ['no object', undefined, 'what `read` found as an object'],
  ['an object for a Map', { ...sums, signatures: {} }, '`signatures` as a Map'],
  [
    'a signature under another name',
    withSignature({ name: 'other' }),
    'signature `serving_default` under its `name`',
  ],
  [
    'inputs that are no Map',
    withSignature({ inputs: {} }),
    '`inputs` of signature `serving_default` as a Map',
  ],
  ['-1 for an open dim', withInput({ shape: [-1] }), 'null for a size that each request chooses'],
  [
    'no list of dims',
    withInput({ shape: 2 }),
    '`shape` of input `a` of signature `serving_default` as a list',
  ],
  [
    'an unknown dtype',
    withInput({ dtype: 'float' }),
    'a dtype of numpy for input `a` of signature `serving_default`',
  ],
  [
    'an unknown verdict',
    withSignature({ rows: { verdict: 'yes' } }),
    'the verdict proven, unproven or effects',
  ],
  [
    'no reason',
    withSignature({ rows: { verdict: 'unproven' } }),
    '`rows.why` of signature `serving_default` in words',
  ],
  ['no size', { ...sums, byteLength: undefined }, '`byteLength` as a number from 0 on'],
  ['no `load`', { ...sums, load: undefined }, '`load` as a function'],
  ['a model that cannot run', { ...sums, load: async () => ({}) }, 'a model with `predict`'],
])('names what an engine says wrongly of a model: %s', async (_, given, message) => {
  const name = `wrong-${found.size}`;
  found.set(name, () => given);
  await publish(name);
  await toldOf(name, `expected the engine \`Sums\` to give`);
  expect(JSON.parse(await statusOf(name)).versions[0].error).toEqual({
    code: 'INTERNAL',
    message: expect.stringContaining(message),
  });
});

function withSignature(other: object): object {
  return { ...sums, signatures: new Map([[signature.name, { ...signature, ...other }]]) };
}

function withInput(other: object): object {
  const a = { ...signature.inputs.get('a'), ...other };
  return withSignature({ inputs: new Map<string, unknown>(signature.inputs).set('a', a) });
}

it('counts the rows of a proven signature by the inputs that have rows', async () => {
  const b = { name: 'b', dtype: 'float32', shape: [] } as const;
  const inputs = new Map(signature.inputs).set('b', b);
  const product = { name: 'product', dtype: 'float32', shape: null } as const;
  const outputs = new Map(signature.outputs).set('product', product);
  found.set('mixed', () => withSignature({ inputs, outputs }));
  await publish('mixed');
  await toldOf('mixed', 'AVAILABLE');
  const asked = (next: Fault) =>
    whileFaulty(next, () => server.predict({ model: 'mixed', inputs: { a: [1, 2], b: 3 } }));
  await expect(asked(replaced('sum', () => floats([1])))).rejects.toThrow('output `sum` as float32 [2]');
  await expect(asked(replaced('product', () => floats([1])))).rejects.toThrow(
    'output `product` as float32 with 2 rows for the model `mixed`, got float32 [1]',
  );
  (await asked((given) => given)).dispose();
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
  await until(async () => (await statusOf(model)).includes(text), `\`${text}\` to be said of \`${model}\``);
}

async function statusOf(model: string): Promise<string> {
  return (await fetch(`${server.address}/models/${model}`)).text();
}
