/** The verdict on rows that could not be compared before a version serves. */
import { expect, it } from 'vitest';
import { judgeBatching } from '../../src/control/checks/row-check.ts';
import type { InferenceModel } from '../../src/engines/inference-model.ts';
import type { RowProof, Signature } from '../../src/engines/signature.ts';
import { batchLimits } from '../../src/serving/queue/batching.ts';

const limits = batchLimits({
  ...{ maxBatchSize: 8, timeout: 0, queueSize: 8, slots: 1, compiles: false },
});

/** A model that nobody could run with made-up inputs. */
async function verdictOn(rows: RowProof | undefined) {
  const spec = { name: 'x', dtype: 'float32', shape: [null], graphName: 'x' } as const;
  const specs = new Map([['x', spec]]);
  const signature: Signature = { name: 'serving_default', inputs: specs, outputs: specs, rows };
  const fail = () => {
    throw new Error('it cannot be run');
  };
  const model: InferenceModel = {
    signatures: new Map([[signature.name, signature]]),
    type: 'none',
    platform: 'none',
    mode: { xla: false, mixedPrecision: undefined },
    isTraced: false,
    whyNotInline: () => undefined,
    predict: async () => fail(),
    predictHere: fail,
    dispose: async () => {},
  };
  const options = { deadline: performance.now() + 1000, defaultSignature: signature, limits };
  const verdicts = await judgeBatching(model, { ...options, warmup: 'could not be warmed up' });
  return verdicts.get(signature);
}

it('requests run alone where no graph tells either', async () => {
  const verdict = await verdictOn(undefined);
  expect(verdict).toMatchObject({
    sharing: 'trial',
    why: expect.stringContaining('could not be warmed up'),
  });
});

it('requests share runs where the graph shows that rows stay apart', async () => {
  const verdict = await verdictOn({ verdict: 'proven', why: '' });
  expect(verdict?.sharing).toBe('proven');
});
