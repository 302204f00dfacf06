/**
 * Upstream's `tf.node.loadSavedModel` (`--runtime tfjs`) as the oracle: the same requests to two servers, one per runtime,
 * get the same answers, as far as upstream can give any.
 */
import { cp } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { array, bytes, described, float64, int, ints, list, map, text } from '../fixtures/cbor.ts';
import { TestRepository, testModels } from '../fixtures/repository.ts';
import { TestServer } from '../fixtures/server.ts';

const models = [
  'signatures',
  'mixed',
  'fixed_batch',
  'strings',
  'slow',
  'sharded',
  'v1_bare',
  'versioned',
  'failing',
  'identity',
  'awkward_names',
];

let repository: TestRepository;
let native: TestServer;
let tfjs: TestServer;

beforeAll(async () => {
  repository = await TestRepository.create(...models);
  const demo = path.join(testModels, '..', '..', 'saved_models', 'policy');
  await cp(demo, repository.path('policy'), { recursive: true });
  const args = ['--model-path', repository.root];
  [native, tfjs] = await Promise.all([
    TestServer.start({ args }),
    TestServer.start({ args: [...args, '--runtime', 'tfjs'] }),
  ]);
});

afterAll(async () => {
  await Promise.all([native.stop(), tfjs.stop()]);
  await repository.remove();
});

const floats = (...values: number[]) => Uint8Array.from(new Uint8Array(Float32Array.from(values).buffer));

function envelope(inputs: Record<string, Uint8Array>, signature?: string): Uint8Array {
  return map({ inputs: map(inputs), ...(signature === undefined ? {} : { signature: text(signature) }) });
}

/** What upstream can do: float32, int32, bool and string outputs, and inputs of these and uint8. */
const same: [what: string, model: string, body: Uint8Array][] = [
  ['two inputs', 'signatures', envelope({ a: list(float64(1.5), int(2)), b: ints(3, 4) })],
  ['another signature', 'signatures', envelope({ a: ints(1, 2), b: ints(3, 4) }, 'mul')],
  [
    'scalars and side inputs',
    'mixed',
    envelope({
      x: list(ints(1, 2, 3)),
      temperature: float64(0.5),
      training: Uint8Array.of(0xf5),
      table: list(ints(1, 2), ints(3, 4)),
    }),
  ],
  [
    'one sample of it',
    'mixed',
    envelope({
      x: ints(1, 2, 3),
      temperature: int(2),
      training: Uint8Array.of(0xf4),
      table: list(ints(1, 2), ints(3, 4)),
    }),
  ],
  ['a fixed first dim', 'fixed_batch', envelope({ x: list(ints(1, 2, 3, 4)) })],
  ['strings', 'strings', envelope({ text: list(text('größe'), text('')) })],
  ['a loop', 'slow', envelope({ x: ints(1, 2), steps: int(100) })],
  [
    'two shards',
    'sharded',
    envelope({ x: array([1, 48], 85, floats(...Array.from({ length: 48 }, (_, i) => i / 48))) }),
  ],
  ['a TF1 model without variables', 'v1_bare', envelope({ x: list(ints(1, 2)) })],
  ['an asset', 'versioned', envelope({ x: ints(1, 2) })],
  [
    'awkward names',
    'awkward_names',
    envelope(
      Object.fromEntries(
        ['inputs', 'outputs', 'signature', 'data', 'shape', 'dtype'].map((name, i) => [name, ints(i, i + 1)]),
      ),
    ),
  ],
  [
    'a uint8 image',
    'policy',
    envelope({
      state: array([6], 85, floats(1, 2, 3, 4, 5, 6)),
      image: array(
        [480, 640, 3],
        64,
        Uint8Array.from({ length: 480 * 640 * 3 }, (_, i) => i % 251),
      ),
    }),
  ],
];

describe('both runtimes answer alike', () => {
  it.each(same)('%s', async (_, model, body) => {
    const [ours, theirs] = await Promise.all(
      [native, tfjs].map((server) => server.infer(`/models/${model}/infer`, body)),
    );
    expect(ours?.status).toBe(200);
    expect(theirs).toEqual(ours);
  });
});

describe('what upstream cannot do, as the README says, and ours does', () => {
  it('a SavedModel with a dtype that tf.js lacks in any of its signatures is not even loaded', async () => {
    const x = described('float16', [2], bytes(Uint8Array.of(0, 0x3c, 0, 0x40)));
    const { body } = await native.infer('/models/identity/infer', envelope({ x }, 'float16'));
    expect(body.outputs).toEqual({ y: [1, 2] });
    const { versions } = (await tfjs.get('/models/identity')).body;
    expect(versions[0].error.message).toMatch(/^Unsupported tensor DataType: DT_/);
  });

  it('a failing run is refused by both, and leaves tensors in upstream only', async () => {
    const body = envelope({ x: list(ints(1, 2)), w: list(ints(1), ints(2), ints(3)) });
    for (const server of [native, tfjs])
      expect((await server.infer('/models/failing/infer', body)).status).toBe(400);
    expect(await native.metric('tfjs_serving_native{kind="tensors"}')).toBe(0);
  });
});
