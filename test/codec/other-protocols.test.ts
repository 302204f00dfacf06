/** Bodies and paths of TensorFlow Serving and Triton: the error says what to send here, in any encoding. */
import { encode } from 'cbor-x';
import { describe, expect, it } from 'vitest';
import { decodeInferRequest } from '../../src/codec/cbor/decode.ts';
import { toTensors } from '../../src/codec/infer-body.ts';
import { decodeJsonRequest } from '../../src/codec/json/decode.ts';
import { disposeTensors } from '../../src/tfjs/tensors.ts';
import { limits, makeSignature, refusal } from '../fixtures/codec.ts';
import { openRuntimeForTests } from '../fixtures/runtime.ts';

openRuntimeForTests();

const tensor = { name: 'x', shape: [2], datatype: 'FP32', data: [1, 2] };

const bodies: readonly (readonly [body: object, advice: RegExp])[] = [
  [{ instances: [[1, 2]] }, /^this is a request of TensorFlow Serving: send {"inputs": {"NAME"/],
  [{ instances: [{ x: 1 }] }, /of TensorFlow Serving/],
  [{ instances: [{ b64: 'AA==' }] }, /of TensorFlow Serving/],
  [{ signature_name: 'serving_default', instances: [1] }, /of TensorFlow Serving/],
  [{ signature_name: 'serving_default', inputs: [1] }, /of TensorFlow Serving/],
  [
    { signature_name: 'serving_default', inputs: { x: [1] } },
    /"signature_name" of TensorFlow Serving is "signature"/,
  ],
  [{ model_spec: { name: 'm' }, inputs: { x: [1] } }, /"model_spec" of TensorFlow Serving/],
  [{ inputs: [[1, 2]] }, /of TensorFlow Serving/],
  [{ examples: [{ x: 1 }] }, /of TensorFlow Serving/],
  [
    { inputs: [tensor] },
    /^this is a request of the Open Inference Protocol.*send it to \/v2\/models.*send {"inputs": {"NAME": {"dtype"/,
  ],
  [{ id: '1', inputs: [tensor], outputs: [{ name: 'y' }] }, /of the Open Inference Protocol/],
  [
    { inputs: [{ ...tensor, data: undefined, parameters: { binary_data_size: 8 } }] },
    /of the Open Inference Protocol/,
  ],
  [{ id: '1', inputs: { x: [1] } }, /"id" of the Open Inference Protocol is the header X-Request-Id here/],
];

describe.each([
  ['JSON', (body: object) => decodeJsonRequest(Buffer.from(JSON.stringify(body)), limits)],
  ['CBOR', (body: object) => decodeInferRequest(encode(body), limits)],
])('in %s', (_, decode) => {
  const ask = (body: object, ...names: string[]) => {
    const signature = makeSignature(Object.fromEntries(names.map((name) => [name, ['float32', null]])));
    disposeTensors(toTensors(decode(body), signature, limits));
  };

  it.each(bodies)('%j is told what to send', (body, advice) => {
    expect(refusal(() => ask(body, 'x'))).toMatch(advice);
  });

  it.each(['instances', 'inputs', 'examples', 'signature_name'])(
    'an input called %s is one where the model has it',
    (name) => {
      expect(() => ask({ [name]: [1, 2] }, name)).not.toThrow();
    },
  );
});
