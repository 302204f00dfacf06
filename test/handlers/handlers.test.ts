/** Handlers around real models, in the real server: what they may do, and what happens to faulty ones. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { HandlerServer, stopHandlerServersAfterEach } from '../fixtures/handlers.ts';
import { TestRepository } from '../fixtures/repository.ts';
import { TestServer } from '../fixtures/server.ts';
import { serveModels, stopServerAfterEach } from '../fixtures/servers.ts';
import { until } from '../fixtures/until.ts';

stopHandlerServersAfterEach();
stopServerAfterEach();

/** `versioned` answers y = x + 1. */
const model = 'versioned_rows';

describe('a handler', () => {
  it('changes inputs and outputs, of one sample and of a batch', async () => {
    const { outputs } = bind(
      await HandlerServer.start([model], {
        [`${model}/handler.ts`]: `
          import type { Handler } from 'tfjs-serving/handler';
          import * as tf from '@tensorflow/tfjs-node-gpu';
          export const preprocess: Handler['preprocess'] = ({ x }) => ({ x: tf.mul(x, 10) });
          export const postprocess: Handler['postprocess'] = ({ y }) => ({ y, half: y.div(2) });
        `,
      }),
    );
    expect(await outputs(model, { x: 2 })).toEqual({ y: 21, half: 10.5 });
    expect(await outputs(model, { x: [1, 2, 3] })).toEqual({ y: [11, 21, 31], half: [5.5, 10.5, 15.5] });
  });

  it('lies beside a version or in the model’s folder, and the nearer one counts', async () => {
    const times = (factor: number) => `export const preprocess = ({ x }) => ({ x: x.mul(${factor}) });`;
    const { outputs } = bind(
      await HandlerServer.start([model, 'versioned'], {
        [`${model}/handler.js`]: times(2),
        [`${model}/1/handler.js`]: times(3),
        'versioned/handler.mjs': times(4),
      }),
    );
    expect(await outputs(model, { x: 1 })).toMatchObject({ y: 4 });
    expect(await outputs('versioned', { x: [1] })).toMatchObject({ y: [5] });
  });

  it('declares what callers send: an image of any size, resized for the model', async () => {
    const { outputs, ask } = bind(
      await HandlerServer.start(['rows'], {
        'rows/handler.ts': `
          import * as tf from '@tensorflow/tfjs-node-gpu';
          export const signature = {
            inputs: { image: { dtype: 'uint8', shape: [-1, -1, -1, 1] } },
            outputs: { total: { dtype: 'float32', shape: [-1] }, size: { dtype: 'int64', shape: [] } },
          };
          export function preprocess({ image }) {
            const small = tf.image.resizeBilinear(image, [2, 2]).squeeze([3]);
            return { mask: small.round().toInt(), x: tf.zeros([image.shape[0], 3]) };
          }
          export const postprocess = ({ total }) => ({ total, size: tf.scalar(7, 'int32') });
        `,
      }),
    );
    const image = { dtype: 'uint8', shape: [4, 6, 1], data: Array(24).fill(3) };
    const plain = await outputs('rows', { image });
    expect(plain).toEqual({ total: 12, size: 7 });
    expect((await ask('rows', { x: [0, 0, 0] })).body.error.message).toMatch(
      /takes `image` uint8 \[-1, -1, -1, 1\]/,
    );
  });

  it('predicts without any model, in plain tf.js', async () => {
    const { outputs } = bind(
      await HandlerServer.start([], {
        'mean/handler.js': `
          export const signature = {
            inputs: { x: { dtype: 'float64', shape: [-1, 3] } },
            outputs: { mean: { dtype: 'float32', shape: [-1] } },
          };
          export const predict = ({ x }) => ({ mean: x.mean(1) });
        `,
      }),
    );
    const x = { dtype: 'float64', shape: [2, 3], data: [1, 2, 3, 4, 5, 6] };
    expect(await outputs('mean', { x })).toEqual({ mean: [2, 5] });
  });

  it('loads another SavedModel, and runs its own by hand', async () => {
    const { outputs } = bind(
      await HandlerServer.start([model, 'versioned'], {
        'other/handler.js': `export const load = ({ savedModel }) => savedModel('../versioned/1');`,
        [`${model}/handler.js`]: `
          export async function predict({ x }, ctx) {
            const once = await ctx.run({ x });
            const twice = await ctx.run({ x: once.y });
            return { y: twice.y };
          }`,
      }),
    );
    expect(await outputs('other', { x: [1, 2] })).toMatchObject({ y: [2, 3] });
    expect(await outputs(model, { x: 5 })).toEqual({ y: 7 });
  });

  it('loads a model of tf.js', async () => {
    const { outputs, server } = bind(
      await HandlerServer.start([], {
        'dense/handler.ts': `
          import * as tf from '@tensorflow/tfjs-node-gpu';
          export function load() {
            const dense = tf.layers.dense({ units: 1, inputShape: [2], name: 'y' });
            const made = tf.sequential({ layers: [dense] });
            dense.setWeights([tf.tensor2d([[2], [3]]), tf.tensor1d([1])]);
            return made;
          }
          export const preprocess = (inputs) => Object.fromEntries(Object.entries(inputs));
        `,
      }),
    );
    const [input] = Object.keys((await server.get('/models/dense')).body.signatures.serving_default.inputs);
    const made = await outputs('dense', {
      [input as string]: [
        [1, 1],
        [2, 0],
      ],
    });
    expect(Object.values(made)).toEqual([[[6], [5]]]);
  });

  it('keeps what it loaded for every call, and is told where it is', async () => {
    const { outputs } = bind(
      await HandlerServer.start([], {
        'labels/1/labels.json': '["cat", "dog"]',
        'labels/1/handler.ts': `
          import { readFileSync } from 'node:fs';
          import * as tf from '@tensorflow/tfjs-node-gpu';
          export const signature = { inputs: { i: { dtype: 'int32', shape: [-1] } }, outputs: { label: { dtype: 'string', shape: [-1] } } };
          export const load = (ctx) => JSON.parse(readFileSync(ctx.directory + '/labels.json', 'utf8'));
          export const predict = ({ i }, ctx) => ({
            label: tf.tensor([...i.dataSync()].map((each) => ctx.loaded[each] + ctx.version), undefined, 'string'),
          });
        `,
      }),
    );
    expect(await outputs('labels', { i: [1, 0] })).toEqual({ label: ['dog1', 'cat1'] });
  });

  it('of --handler serves models that have none of their own', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-handler-'));
    const file = path.join(folder, 'shared.ts');
    await writeFile(file, 'export const preprocess = ({ x }: any) => ({ x: x.add(100) });');
    try {
      const started = await HandlerServer.start(
        [model, 'versioned'],
        { [`${model}/handler.js`]: 'export const batch = false;' },
        ...['--handler', file, '--scan-interval', '600'],
      );
      expect(await started.outputs('versioned', { x: [1] })).toMatchObject({ y: [102] });
      expect(await started.outputs(model, { x: [1] })).toMatchObject({ y: [2] });
      // By events: the clock is far.
      await writeFile(file, 'export const preprocess = ({ x }: any) => ({ x: x.add(200) });');
      await until(async () => (await started.outputs('versioned', { x: [1] })).y[0] === 202, 'the change');
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('requests through a handler', () => {
  /** A batch begins once so many rows have come, and no sooner. */
  const exactly = (size: number) => [
    '--batching-parameters',
    JSON.stringify({ max_batch_size: size, batch_timeout_micros: 60_000_000 }),
  ];

  it('share runs of the model behind it', async () => {
    const started = await HandlerServer.start(
      ['rows_guarded'],
      {
        // A made-up request would wait for company.
        'rows_guarded/handler.js': `
          export const preprocess = (inputs) => inputs;
          export const warmup = () => {};
        `,
      },
      ...exactly(4),
    );
    const describe = async () => (await started.server.get('/models/rows_guarded')).body;
    const before = (await describe()).handler.behind;
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, x) => started.outputs('rows_guarded', { x })),
    );
    expect(answers.map(({ y }) => y)).toEqual(Array.from({ length: 12 }, (_, x) => x + 1));
    const { handler, batching } = await describe();
    expect(handler.behind.rows - before.rows).toBe(12);
    expect(handler.behind.runs - before.runs).toBe(3);
    expect(batching.serving_default.choice).toMatch(
      /^alone: its handler runs for each request; behind it: proven, in batches of up to 4 rows/,
    );
  });

  it('run as one with `batch`, and are still told apart', async () => {
    const started = await HandlerServer.start(
      ['rows_guarded'],
      {
        'rows_guarded/handler.ts': `
          import * as tf from '@tensorflow/tfjs-node-gpu';
          export const batch = true;
          export const warmup = () => {};
          export const preprocess = ({ x }) => ({ x: x.add(1) });
          export const postprocess = ({ y }) => ({ y: tf.add(y, 1) });
        `,
      },
      ...exactly(8),
    );
    const answers = await Promise.all(
      Array.from({ length: 24 }, (_, x) => started.outputs('rows_guarded', { x })),
    );
    expect(answers).toEqual(Array.from({ length: 24 }, (_, x) => ({ y: x + 3 })));
    const { batching } = (await started.server.get('/models/rows_guarded')).body;
    expect(batching.serving_default.sharing).toBe('declared');
    const runs = 'tfjs_serving_runs_total{model="rows_guarded",version="1",signature="serving_default"}';
    expect(await started.server.metric(runs)).toBe(3);
  });

  it('leave no tensor behind, whether they end well or not', async () => {
    const started = await HandlerServer.start([model], {
      [`${model}/handler.ts`]: `
        import * as tf from '@tensorflow/tfjs-node-gpu';
        export function preprocess({ x }) {
          const a = x.add(1), b = tf.zeros([1000]);
          if (a.dataSync()[0] < 0) throw new Error('negative');
          return { x: a };
        }
        export async function postprocess({ y }) {
          const a = y.mul(2);
          await new Promise((resolve) => setTimeout(resolve, 1 + Math.random() * 5));
          const b = a.sub(1), c = tf.ones([10]);
          if (b.dataSync()[0] > 1000) throw new Error('large');
          return { y, again: y, b };
        }
      `,
    });
    await started.outputs(model, { x: 1 });
    const before = await started.tensors();
    for (let round = 0; round < 5; round++)
      await Promise.all(
        Array.from({ length: 12 }, (_, i) => started.ask(model, { x: [1, -5, 5000, 2][i % 4] })),
      );
    await until(async () => (await started.tensors()) === before, `${before} tensors`);
  });
});

describe('what goes wrong in a handler', () => {
  const good = 'export const preprocess = ({ x }) => ({ x: x.mul(2) });';
  /** Its bug is met by requests only. */
  const unwarmed = 'export const warmup = () => {};';

  it.each<[what: string, text: string, message: RegExp]>([
    [
      'does not compile',
      'export const preprocess = ({ x }) => {',
      /does not compile: handler\.ts:1:\d+: Unexpected/,
    ],
    [
      'imports what is not there',
      "import './nowhere';",
      /does not compile: handler\.ts:1:\d+: Could not resolve/,
    ],
    [
      'throws at once',
      '\nthrow new Error("at once");',
      /^its handler failed: at once \(handler\.ts:2:\d+\)$/,
    ],
    [
      'throws in load',
      'export const load = async () => {\n  null.x;\n};',
      /^its handler failed: .*null.*\(handler\.ts:2:\d+\)$/,
    ],
    [
      'throws in its warm-up',
      'export function warmup() { throw new Error("cold"); }',
      /warm-up failed: cold \(handler\.ts:1:\d+\)/,
    ],
    [
      'has a bug that made-up inputs meet',
      'export const preprocess = ({ x }) => ({\n  x: x.multiply(2) });',
      /^its handler failed at a made-up input: x\.multiply is not a function \(handler\.ts:2:\d+\); to refuse/,
    ],
    [
      'gives no tensors',
      'export const preprocess = () => {};',
      /^its handler failed at a made-up input: `preprocess` must give an object of tensors/,
    ],
    ['exports nothing', 'const x = 1;', /exports none of load, preprocess/],
    ['exports what is no function', 'export const preprocess = 1;', /`preprocess` is no function/],
    [
      'declares no signature',
      "export const signature = { inputs: { x: { dtype: 'float', shape: [1] } } };",
      /`signature`: /,
    ],
    [
      'imports another package of the server',
      "import x from '@tensorflow/tfjs-vis'; export const batch = x;",
      /does not provide/,
    ],
  ])('%s: the version fails, and the one before it goes on serving', async (_, text, message) => {
    const started = await HandlerServer.start([model], { [`${model}/handler.ts`]: good });
    expect(await started.outputs(model, { x: 1 })).toMatchObject({ y: 3 });
    await started.write(`${model}/handler.ts`, text);
    expect((await started.failure(model)).message).toMatch(message);
    expect(await started.outputs(model, { x: 1 })).toMatchObject({ y: 3 });
    await started.change(`${model}/handler.ts`, good.replace('2', '5'));
    expect(await started.outputs(model, { x: 1 })).toMatchObject({ y: 6 });
  });

  it('an exception is a 500 of that request alone, with its place in the log and not in the answer', async () => {
    const started = await HandlerServer.start([model], {
      [`${model}/lib/check.ts`]:
        '\n\nexport function check(x: number) { if (x < 0) throw new TypeError("secret " + x); }',
      [`${model}/handler.ts`]: `
        import { check } from './lib/check';
        export function preprocess({ x }) { for (const each of x.dataSync()) check(each); return { x }; }
      `,
    });
    const [bad, fine] = await Promise.all([started.ask(model, { x: -4 }), started.ask(model, { x: 4 })]);
    expect([bad.status, bad.body.error]).toEqual([
      500,
      { code: 'INTERNAL', message: `the handler of \`${model}\` failed; the log has the details` },
    ]);
    expect([fine.status, fine.body.outputs]).toMatchObject([200, { y: 5 }]);
    await started.logged(/secret -4 \(lib\/check\.ts:3:\d+\)/);
  });

  it.each<[what: string, text: string, message: RegExp]>([
    [
      'no object',
      'export const postprocess = ({ y }) => y;',
      /`postprocess` gave|must give an object of tensors/,
    ],
    [
      'no tensor',
      'export const postprocess = ({ y }) => ({ y, n: 1 });',
      /`postprocess` gave `n`, which is no tensor/,
    ],
    ['nothing', 'export const preprocess = () => {};', /`preprocess` must give an object of tensors/],
  ])('%s given where tensors must be is told in the log', async (_, text, message) => {
    const started = await HandlerServer.start([model], { [`${model}/handler.js`]: `${text}\n${unwarmed}` });
    expect((await started.ask(model, { x: 1 })).status).toBe(500);
    await started.logged(message);
  });

  it('that nobody waits for does not end the server', async () => {
    const started = await HandlerServer.start([model], {
      [`${model}/handler.ts`]: `
        export function preprocess({ x }) {
          Promise.reject(new Error('floating'));
          Promise.reject('no error at all');
          setTimeout(() => { throw new Error('late'); }, 1);
          return { x };
        }
      `,
    });
    for (let i = 0; i < 5; i++) expect(await started.outputs(model, { x: i })).toMatchObject({ y: i + 1 });
    await started.logged(/failed outside any request: floating \(handler\.ts:3:\d+\)/);
    await started.logged(/failed outside any request: late \(handler\.ts:5:\d+\)/);
    expect(await started.outputs(model, { x: 9 })).toMatchObject({ y: 10 });
  });

  it.each<[what: string, text: string]>([
    [
      'an output',
      "export const signature = { inputs: { x: { dtype: 'float32', shape: [-1] } }, outputs: { y: { dtype: 'int32', shape: [-1] } } };\nexport const postprocess = ({ y }) => ({ y: y.add(0.5) });",
    ],
    ['an input of the model', 'export const preprocess = ({ x }) => ({ x: x.cast("string") });'],
    ['a missing input', 'export const preprocess = ({ x }) => ({ z: x });'],
  ])('%s that does not fit is its own fault, not the caller’s', async (_, text) => {
    const started = await HandlerServer.start([model], { [`${model}/handler.js`]: `${text}\n${unwarmed}` });
    const { status, body } = await started.ask(model, { x: 1 });
    expect([status, body.error.code]).toEqual([500, 'INTERNAL']);
    await started.logged(/the handler of versioned_rows failed: /);
  });

  it('that lacks a tag of its SavedModel does not serve without it', async () => {
    const started = await HandlerServer.start(
      ['versioned'],
      { 'versioned/handler.js': 'export const predict = ({ x }) => ({ y: x });' },
      ...['--tags', 'nothing'],
    );
    expect((await started.failure('versioned')).message).toMatch(/no graph with the tags "nothing"/);
  });

  it('it refuses a request with an error of its own', async () => {
    const started = await HandlerServer.start([model], {
      [`${model}/handler.ts`]: `
        import { ServingError } from 'tfjs-serving';
        export function preprocess({ x }) {
          if (x.dataSync()[0] < 0) throw new ServingError('INVALID_ARGUMENT', 'x must not be negative');
          return { x };
        }
      `,
    });
    expect(await started.ask(model, { x: -1 })).toMatchObject({
      status: 400,
      body: { error: { code: 'INVALID_ARGUMENT', message: 'x must not be negative' } },
    });
  });

  it('it may refuse made-up inputs, and serves, if it says so by code', async () => {
    const refusing = (code: string) => `
      import { ServingError } from 'tfjs-serving';
      export function preprocess({ x }) {
        if (x.dataSync()[0] < 1) throw new ServingError('${code}', 'x must be 1 or more');
        return { x };
      }
    `;
    const started = await HandlerServer.start([model], {
      [`${model}/handler.ts`]: refusing('INVALID_ARGUMENT'),
    });
    const { versions } = (await started.server.get(`/models/${model}`)).body;
    expect(versions[0]).toMatchObject({ state: 'AVAILABLE' });
    expect(versions[0].warmup).toBe(
      'could not be warmed up: x must be 1 or more; to warm it up properly, add assets.extra/tf_serving_warmup_requests',
    );
    expect(await started.outputs(model, { x: 1 })).toMatchObject({ y: 2 });
    await started.write(`${model}/handler.ts`, refusing('FAILED_PRECONDITION'));
    expect(await started.failure(model)).toEqual({
      code: 'FAILED_PRECONDITION',
      message: 'x must be 1 or more',
    });
    expect(await started.outputs(model, { x: 1 })).toMatchObject({ y: 2 });
  });

  it('it is not run with made-up inputs before a model that keeps something', async () => {
    const started = await HandlerServer.start(['stateful'], {
      'stateful/handler.ts': 'export const postprocess = (outputs) => outputs;',
    });
    const { versions } = (await started.server.get('/models/stateful')).body;
    expect(versions[0].warmup).toMatch(
      /^was not warmed up: signature `serving_default` behind its handler: operation `AssignAddVariableOp` keeps something/,
    );
    expect(await started.outputs('stateful', {})).toEqual({ count: 1 });
  });

  it('it may refuse made-up inputs by the model behind it, also one of tf.js', async () => {
    const started = await HandlerServer.start(
      ['failing'],
      {
        'failing/handler.js': 'export const postprocess = ({ y }) => ({ y });',
        'pooled/handler.js': `
        import * as tf from '@tensorflow/tfjs-node-gpu';
        export function load() {
          const model = tf.sequential();
          model.add(tf.layers.inputLayer({ inputShape: [null, null, 1] }));
          for (let i = 0; i < 2; i++)
            model.add(tf.layers.conv2d({ filters: 1, kernelSize: 3, padding: 'valid' }));
          model.add(tf.layers.globalAveragePooling2d({}));
          return model;
        }
      `,
      },
      '--signature',
      'wrong_channels',
    );
    for (const name of ['failing', 'pooled']) {
      const { versions } = (await started.server.get(`/models/${name}`)).body;
      expect(versions[0], name).toMatchObject({ state: 'AVAILABLE' });
    }
  });

  it('it does not serve where handlers are off', async () => {
    const { server, repository } = await serveModels([model]);
    expect((await server.get(`/models/${model}`)).body.version).toBe(1);
    await writeFile(repository.path(model, 'handler.js'), good);
    await until(async () => {
      const { versions } = (await server.get(`/models/${model}`)).body;
      return versions.some((each: { error?: { message: string } }) =>
        /--allow-handlers/.test(each.error?.message ?? ''),
      );
    }, 'the refusal');
    const answer = await server.fetch(`/models/${model}/infer`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"x": 1}',
    });
    expect(((await answer.json()) as { outputs: object }).outputs).toMatchObject({ y: 2 });
  });
});

describe('a handler that asks other models', () => {
  it('makes an ensemble of them', async () => {
    const started = await HandlerServer.start([model, 'versioned'], {
      'both/handler.ts': `
        import * as tf from '@tensorflow/tfjs-node-gpu';
        export const signature = { inputs: { x: { dtype: 'float32', shape: [-1] } } };
        export async function predict({ x }, ctx) {
          const answers = await Promise.all(['${model}', 'versioned'].map((name) => ctx.predict({ model: name, inputs: { x } })));
          return { mean: tf.addN(answers.map(({ y }) => y)).div(answers.length) };
        }
      `,
    });
    const before = await started.tensors();
    expect(await started.outputs('both', { x: [1, 2] })).toEqual({ mean: [2, 3] });
    expect(await started.outputs('both', { x: 7 })).toEqual({ mean: 8 });
    await until(async () => (await started.tensors()) === before, 'no tensor to be left');
  });

  it('is told of a circle, and does not hang', async () => {
    const asks = (name: string) => `
      export const signature = { inputs: { x: { dtype: 'float32', shape: [-1] } } };
      export const predict = async ({ x }, ctx) => ({ y: (await ctx.predict({ model: '${name}', inputs: { x } })).y });
      export const warmup = () => {};
    `;
    const started = await HandlerServer.start([], {
      'a/handler.js': asks('b'),
      'b/handler.js': asks('c'),
      'c/handler.js': asks('a'),
      'self/handler.js': asks('self'),
    });
    for (const [name, circle] of [
      ['a', 'a → b → c → a'],
      ['b', 'b → c → a → b'],
      ['self', 'self → self'],
    ] as const)
      expect(await started.ask(name, { x: 1 })).toMatchObject({
        status: 409,
        body: {
          error: { code: 'FAILED_PRECONDITION', message: `handlers ask each other in a circle: ${circle}` },
        },
      });
  });
});

it('is found below a model path that is relative', async () => {
  const repository = await TestRepository.create(model);
  await writeFile(
    repository.path(model, 'handler.js'),
    'export const preprocess = ({ x }) => ({ x: x.mul(9) });',
  );
  const relative = path.relative(process.cwd(), repository.root);
  const server = await TestServer.start({ args: ['--model-path', relative, '--allow-handlers'] });
  try {
    const answer = await server.fetch(`/models/${model}/infer`, { method: 'POST', body: form({ x: '1' }) });
    expect(((await answer.json()) as { outputs: object }).outputs).toMatchObject({ y: 10 });
  } finally {
    await server.stop();
    await repository.remove();
  }
});

describe('a change', () => {
  it('of the file or of anything it imports is a new load', async () => {
    const started = await HandlerServer.start([model], {
      [`${model}/handler.ts`]: `import { factor } from './lib/factor'; export const preprocess = ({ x }) => ({ x: x.mul(factor) });`,
      [`${model}/lib/factor.ts`]: 'export const factor: number = 2;',
    });
    expect(await started.outputs(model, { x: 1 })).toMatchObject({ y: 3 });
    await started.change(`${model}/lib/factor.ts`, 'export const factor: number = 3;');
    expect(await started.outputs(model, { x: 1 })).toMatchObject({ y: 4 });
    await started.change(`${model}/handler.ts`, 'export const preprocess = ({ x }) => ({ x });');
    expect(await started.outputs(model, { x: 1 })).toMatchObject({ y: 2 });
  });

  it('under requests fails none of them', async () => {
    const text = (n: number) => `export const postprocess = ({ y }) => ({ y, by: y.mul(0).add(${n}) });`;
    const started = await HandlerServer.start([model], { [`${model}/handler.js`]: text(0) });
    let isOver = false;
    const seen = new Set<number>();
    const asking = Array.from({ length: 2 }, async () => {
      while (!isOver) {
        const { y, by } = await started.outputs(model, { x: 1 });
        expect(y).toBe(2);
        seen.add(by);
      }
    });
    for (let n = 1; n <= 3; n++) await started.change(`${model}/handler.js`, text(n));
    await until(async () => seen.has(3), 'the last change');
    isOver = true;
    await Promise.all(asking);
  });
});

it('how long handlers keep the event loop is told by name', async () => {
  const started = await HandlerServer.start([model], {
    [`${model}/handler.js`]: `export function preprocess({ x }) { const end = Date.now() + 120; while (Date.now() < end); return { x }; }`,
  });
  await started.outputs(model, { x: 1 });
  const longest = await started.server.metric(
    `tfjs_serving_handler_blocked_seconds_longest{model="${model}"}`,
  );
  expect(longest).toBeGreaterThanOrEqual(0.115);
});

function form(fields: Readonly<Record<string, string>>): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.set(name, value);
  return data;
}

/** So that tests read as sentences. */
function bind(started: HandlerServer) {
  return {
    server: started.server,
    outputs: started.outputs.bind(started),
    ask: started.ask.bind(started),
  };
}
