/** The number of runs that a step recorder has traced, for each model. */
import { expect, it } from 'vitest';
import { type InferenceModel, plainMode } from '../../src/engines/inference-model.ts';
import type { Signature } from '../../src/engines/signature.ts';
import { StepRecorder } from '../../src/profiling/step-recorder.ts';
import { batchLimits } from '../../src/serving/queue/batching.ts';
import { Servable } from '../../src/serving/servable.ts';
import { type ModelStatus, Table } from '../../src/serving/table.ts';

const signature: Signature = { name: 'serving_default', inputs: new Map(), outputs: new Map() };
const limits = batchLimits({
  maxBatchSize: 1,
  timeout: 0,
  queueSize: undefined,
  slots: 1,
  compiles: false,
});

function model(): InferenceModel {
  return {
    signatures: new Map(),
    type: 'test',
    platform: 'test',
    mode: plainMode,
    isTraced: false,
    whyNotInline: () => undefined,
    predict: () => Promise.reject(new Error('not to be run')),
    predictHere: () => {
      throw new Error('not to be run');
    },
    dispose: async () => {},
  };
}

/** A table that serves each of these as version 1 of a model of its own. */
function tableOf(...models: readonly InferenceModel[]): Table {
  const statuses = models.map((loaded, i): [string, ModelStatus] => {
    const name = `model-${i}`;
    const id = { model: name, version: 1, generation: 1 };
    const terms = { limits, defaultSignature: undefined };
    const deployment = { id, model: loaded, parameterCount: 0, isHandled: false, batching: new Map(), terms };
    const serving = new Servable(deployment, () => {
      throw new Error('no signatures');
    });
    const facts = {
      labels: new Map(),
      wanted: 1,
      doubts: [],
      pinned: undefined,
      isUnloaded: false,
      sourceMissing: false,
    };
    return [name, { name, versions: [], serving, available: new Map([[1, serving]]), ...facts }];
  });
  return new Table(new Map(statuses), undefined);
}

/** How many of so many runs are traced. */
function traced(recorder: StepRecorder, of: InferenceModel, runs: number): number {
  return Array.from({ length: runs }, () => recorder.begin(of, signature, 1)).filter(Boolean).length;
}

/** So long that the runs of a test all fall on its start, or so short that they all come at its end. */
const ages = 1e9;
const instant = 1e-9;

it('a run of each model at once, the rest over the whole time', () => {
  const [one, other] = [model(), model()];
  const recorder = new StepRecorder(() => tableOf(one, other), ages);
  expect([traced(recorder, one, 1000), traced(recorder, other, 1000)]).toEqual([1, 1]);
});

it('never more than 100 of a model', () => {
  const one = model();
  const recorder = new StepRecorder(() => tableOf(one), instant);
  expect(traced(recorder, one, 1000)).toBe(100);
});

it('none of a model that is not served', () => {
  const recorder = new StepRecorder(() => tableOf(model()), instant);
  expect(traced(recorder, model(), 10)).toBe(0);
});

it('none of a model after one that recorded too much', () => {
  const [one, other] = [model(), model()];
  const recorder = new StepRecorder(() => tableOf(one, other), instant);
  recorder.begin(one, signature, 1)?.ended(null);
  expect([traced(recorder, one, 10), traced(recorder, other, 10)]).toEqual([0, 10]);
});

it('none once all of them together have recorded 16 MiB', () => {
  const one = model();
  const recorder = new StepRecorder(() => tableOf(one), instant);
  let bytes = 0;
  for (let run = recorder.begin(one, signature, 1); run; run = recorder.begin(one, signature, 1)) {
    run.ended({ byteLength: run.maxBytes, operations: () => [] });
    bytes += run.maxBytes;
  }
  expect(bytes).toBe(16 * 2 ** 20);
});
