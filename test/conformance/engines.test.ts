/** The checks of an engine, for TensorFlow's and for one of an application. Then engines that break the contract. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { engineChecks } from '#dist/conformance/index.js';
import { openRuntime } from '#dist/engines/tensorflow/open-runtime.js';
import { tensorFlowEngine } from '#dist/engines/tensorflow/tensorflow-engine.js';
import {
  createLogger,
  createTensor,
  type Engine,
  type EngineModel,
  type NamedTensors,
  type Tensor,
} from '#dist/index.js';
import { linearEngine } from '../../examples/linear-engine.ts';
import { testModels } from '../fixtures/repository.ts';

const root = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-conformance-'));

beforeAll(async () => {
  await publish('good', '{"weights": [[1, 2], [3, 4]], "bias": [5, 6]}');
  await publish('bad', '{"weights": 1}');
});

afterAll(() => rm(root, { recursive: true }));

async function publish(name: string, text: string): Promise<void> {
  await mkdir(path.join(root, name));
  await writeFile(path.join(root, name, 'linear.json'), text);
}

const linear = { directory: path.join(root, 'good'), damaged: path.join(root, 'bad') };

describe("an application's engine", () => {
  it.each([...engineChecks(linearEngine, linear)])('$name', ({ run }) => run());
});

const runtime = openRuntime({ kind: 'native', device: 'cpu', runThreads: 2, tensorflowLogLevel: 3 });
const tensorFlow = tensorFlowEngine(runtime, createLogger({ level: 'silent', format: 'text' }));

describe.each(['identity', 'mixed', 'versioned'])("TensorFlow's, with the model %s", (name) => {
  it.each([...engineChecks(tensorFlow, { directory: path.join(testModels, name, '1') })])(
    '$name',
    ({ run }) => run(),
  );
});

describe('an engine that does not keep to it', () => {
  type Run = (y: Tensor, x: Tensor, inputs: NamedTensors) => Tensor;

  /** The linear engine, whose runs end otherwise. */
  function faulty(change: Run, more: Partial<EngineModel> = {}): Engine {
    return {
      ...linearEngine,
      read: async (directory, tags) => {
        const found = await linearEngine.read(directory, tags);
        return {
          ...found,
          async load() {
            const model = await found.load();
            return {
              ...model,
              ...more,
              async predict(signature, members, options) {
                const { outputs } = await model.predict(signature, members, options);
                const [inputs] = members as [NamedTensors];
                const [x, y] = [inputs.get('x') as Tensor, outputs.get('y') as Tensor];
                return { outputs: new Map([['y', change(y, x, inputs)]]) };
              },
            };
          },
        };
      },
    };
  }

  /** The checks that it does not pass, and why. */
  async function unmetBy(engine: Engine): Promise<Record<string, string>> {
    const unmet: Record<string, string> = {};
    for (const { name, run } of engineChecks(engine, linear))
      await run().catch((error: Error) => {
        unmet[name] = error.message;
      });
    return unmet;
  }

  it('is told that it keeps tensors', async () => {
    const kept: Tensor[] = [];
    const unmet = await unmetBy(
      faulty((y) => {
        kept.push(y);
        return createTensor('float32', y.shape, new Uint8Array(y.size * 4));
      }),
    );
    expect(unmet['runs a signature, and leaves the inputs to the caller']).toContain('to be disposed once');
    for (const tensor of kept) tensor.dispose();
  });

  it('is told that it mixes rows', async () => {
    const unmet = await unmetBy(
      faulty((y) => {
        const values = Float32Array.from(y.dataSync(), (value) => value + (y.shape[0] ?? 0));
        y.dispose();
        return createTensor('float32', y.shape, new Uint8Array(values.buffer));
      }),
    );
    expect(unmet).toEqual({
      'gives each row what it gives it alone': expect.stringContaining('of a row is not what it is alone'),
    });
  });

  it('is told that it leaves out rows, and the padding', async () => {
    const unmet = await unmetBy(
      faulty((y) => {
        const rows = Math.min(y.shape[0] ?? 0, 1);
        const values = Float32Array.from(y.dataSync().slice(0, rows * 2));
        y.dispose();
        return createTensor('float32', [rows, 2], new Uint8Array(values.buffer));
      }),
    );
    expect(Object.keys(unmet)).toEqual(['gives each row what it gives it alone', 'adds rows of padding']);
    expect(unmet['adds rows of padding']).toContain(
      'expected the engine `Linear` to give output `y` as float32 [4, 2]',
    );
  });

  it('is told that it disposes the inputs', async () => {
    const unmet = await unmetBy(
      faulty((y, x) => {
        x.dispose();
        return y;
      }),
    );
    expect(unmet['runs a signature, and leaves the inputs to the caller']).toContain(
      'the input `x` as it was',
    );
  });

  it('is told that its two ways of running differ', async () => {
    const predictHere = () => ({
      outputs: new Map([['y', createTensor('float32', [1, 2], new Uint8Array(8))]]),
    });
    const unmet = await unmetBy(faulty((y) => y, { predictHere }));
    expect(unmet).toEqual({ 'gives the same on the event loop': expect.stringContaining('`predictHere`') });
  });

  it('is told that it takes a damaged model', async () => {
    const engine: Engine = { ...linearEngine, read: (_, tags) => linearEngine.read(linear.directory, tags) };
    expect(Object.keys(await unmetBy(engine))).toEqual([
      'refuses a folder without a model',
      'refuses a damaged model',
    ]);
  });
});
