/** `--xla` and `--mixed-precision` in the runtime. What TensorFlow records of a run shows what they did. */
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { InferenceModel } from '../../../src/engines/inference-model.ts';
import type { OperationRun } from '../../../src/engines/run-tracer.ts';
import { thisProcessor, whyNoBfloat16 } from '../../../src/engines/tensorflow/compute-mode.ts';
import type { Runtime } from '../../../src/engines/tensorflow/runtime.ts';
import { createTensor, disposeTensors, type NamedTensors, viewTensor } from '../../../src/tfjs/tensors.ts';
import { loadTestModel, openTestRuntime, signatureOf } from '../../fixtures/runtime.ts';

let plain: Runtime;
let compiling: Runtime;
let mixing: Runtime;
const loaded: InferenceModel[] = [];

beforeAll(() => {
  // TensorFlow is told once what XLA may compile, and before anything else.
  compiling = openTestRuntime({ xla: true });
  plain = openTestRuntime();
  mixing = openTestRuntime({ mixedPrecision: true });
});

afterEach(async () => {
  for (const model of loaded.splice(0)) await model.dispose();
});

/** `quantised`: two products, larger than what TensorFlow leaves uncompiled. */
async function load(runtime: Runtime): Promise<InferenceModel> {
  const model = await loadTestModel(runtime, 'quantised');
  loaded.push(model);
  return model;
}

function inputs(rows: number): NamedTensors {
  const values = Float32Array.from({ length: rows * 64 }, (_, i) => Math.sin(i));
  return new Map([['x', createTensor('float32', [rows, 64], new Uint8Array(values.buffer))]]);
}

async function run(
  runtime: Runtime,
  model: InferenceModel,
  rows = 2,
): Promise<{ y: Float32Array; ops: readonly OperationRun[] }> {
  let ops: readonly OperationRun[] = [];
  runtime.trace?.({
    begin: () => ({ maxBytes: 2 ** 24, ended: (record) => (ops = record?.operations(0) ?? []) }),
  });
  const fed = inputs(rows);
  const { outputs } = await model.predict(signatureOf(model, 'serving_default'), [fed]);
  runtime.trace?.(undefined);
  const { data } = viewTensor(outputs.get('y') as never);
  const y = new Float32Array(Uint8Array.from(data as Uint8Array).buffer);
  disposeTensors(fed);
  disposeTensors(outputs);
  return { y, ops };
}

const names = (ops: readonly OperationRun[]) => ops.map(({ op }) => op);

/** The greatest difference. */
function distance(one: Float32Array, other: Float32Array): number {
  expect(one).toHaveLength(other.length);
  return Math.max(...one.map((value, i) => Math.abs(value - (other[i] as number))));
}

describe('--xla', () => {
  it('a model is compiled: its run is one of a cluster, where without it each operation ran', async () => {
    const without = await run(plain, await load(plain));
    expect(names(without.ops).filter((op) => /MatMul/.test(op))).toHaveLength(2);
    expect(names(without.ops)).not.toContain('_XlaRun');
    const model = await load(compiling);
    const compiled = await run(compiling, model);
    expect(names(compiled.ops)).toEqual(expect.arrayContaining(['_XlaCompile', '_XlaRun']));
    expect(names(compiled.ops).filter((op) => /MatMul/.test(op))).toEqual([]);
    expect(distance(compiled.y, without.y)).toBeLessThan(1e-5);
    expect([compiling.mode.xla, plain.mode.xla]).toEqual([true, false]);
  });

  it('a size is compiled the second time it is asked for, and no more than some ten are', async () => {
    const model = await load(compiling);
    const isCompiled = async (rows: number) =>
      names((await run(compiling, model, rows)).ops).includes('_XlaRun');
    expect([await isCompiled(1), await isCompiled(2), await isCompiled(2)]).toEqual([true, false, true]);
    for (let rows = 3; rows <= 16; rows++) for (let i = 0; i < 3; i++) await isCompiled(rows);
    // Sizes that clients make up cannot have it compile for ever.
    expect([await isCompiled(16), await isCompiled(2)]).toEqual([false, true]);
  });
});

describe('--mixed-precision', () => {
  const whyNot = whyNoBfloat16(thisProcessor());

  it.runIf(whyNot === undefined)('products are of bfloat16, and as far off as that makes them', async () => {
    const [exact, rounded] = [await run(plain, await load(plain)), await run(mixing, await load(mixing))];
    const casts = (ops: readonly OperationRun[]) =>
      ops.filter(({ name }) => name.includes('CastToBf16')).length;
    expect([casts(exact.ops), casts(rounded.ops)]).toEqual([0, expect.any(Number)]);
    expect(casts(rounded.ops)).toBeGreaterThan(0);
    const largest = Math.max(...exact.y.map(Math.abs));
    const error = distance(rounded.y, exact.y) / largest;
    expect(error).toBeGreaterThan(1e-5);
    // Eight bits of a fraction, through two layers.
    expect(error).toBeLessThan(2 ** -6);
    expect(mixing.mode.mixedPrecision).toBe('bfloat16');
    expect(mixing.warnings).toEqual([]);
  });

  it.runIf(whyNot !== undefined)('is said to have no effect here, and has none', async () => {
    const [exact, same] = [await run(plain, await load(plain)), await run(mixing, await load(mixing))];
    expect(distance(same.y, exact.y)).toBeLessThan(1e-6);
    expect(mixing.mode.mixedPrecision).toBeUndefined();
    expect(mixing.warnings).toEqual([expect.stringContaining(`--mixed-precision has no effect: ${whyNot}`)]);
  });
});
