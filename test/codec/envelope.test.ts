/**
 * The decoder tells the envelope `{"inputs", "signature"?, "outputs"?}` from the flat form `{name: tensor}`, in which
 * no name is reserved.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeInferRequest } from '../../src/codec/cbor/decode.ts';
import { toTensors } from '../../src/codec/infer-body.ts';
import { decodeJsonRequest } from '../../src/codec/json/decode.ts';
import type { InferenceModel } from '../../src/engines/inference-model.ts';
import { disposeTensors, viewTensor } from '../../src/tfjs/tensors.ts';
import {
  array,
  bytes,
  described,
  endlessList,
  endlessMap,
  hex,
  int,
  ints,
  list,
  map,
  tag,
  text,
} from '../fixtures/cbor.ts';
import { limits, refusal } from '../fixtures/codec.ts';
import { held, loadTestModel, openTestRuntime, signatureOf } from '../fixtures/runtime.ts';

const decode = (body: Uint8Array) => decodeInferRequest(body, limits);
const namesIn = (body: Uint8Array) => [...decode(body).inputs.keys()];

let awkward: InferenceModel;

beforeAll(async () => {
  awkward = await loadTestModel(openTestRuntime(), 'awkward_names');
});
afterAll(() => awkward.dispose());

describe('the envelope', () => {
  it('names inputs, and may name a signature and outputs', () => {
    const request = decode(
      map({
        inputs: map({ a: int(1), b: int(2) }),
        signature: text('s'),
        outputs: list(text('y'), text('z')),
      }),
    );
    expect([...request.inputs.keys()]).toEqual(['a', 'b']);
    expect(request).toMatchObject({ signature: 's', outputs: ['y', 'z'] });
  });

  it('says nothing of what it leaves out, or gives as null or undefined', () => {
    for (const nothing of [
      {},
      { signature: hex('f6'), outputs: hex('f6') },
      { signature: hex('f7'), outputs: hex('f7') },
    ]) {
      expect(decode(map({ inputs: map({ a: int(1) }), ...nothing }))).toMatchObject({
        signature: undefined,
        outputs: undefined,
      });
    }
  });

  it('may be of indefinite length all through, in any order', () => {
    const body = endlessMap({
      outputs: endlessList(text('y')),
      signature: text('s'),
      inputs: endlessMap({ a: int(1) }),
    });
    const request = decode(body);
    expect([...request.inputs.keys()]).toEqual(['a']);
    expect(request).toMatchObject({ signature: 's', outputs: ['y'] });
  });

  it('may have no inputs, for a signature without any', () => {
    expect(namesIn(map({ inputs: map({}) }))).toEqual([]);
    expect(namesIn(map({}))).toEqual([]);
  });

  it.each([
    ['a key of another name', map({ inputs: map({ a: int(1) }), parameters: map({}) }), '`parameters`'],
    [
      'a signature that is no text',
      map({ inputs: map({}), signature: int(1) }),
      '`signature` must be a text string',
    ],
    [
      'outputs that are a text',
      map({ inputs: map({}), outputs: text('y') }),
      '`outputs` must be a list of output names',
    ],
    [
      'outputs that are a map',
      map({ inputs: map({}), outputs: map({ y: int(1) }) }),
      '`outputs` must be a list',
    ],
    [
      'an output that is no text',
      map({ inputs: map({}), outputs: list(text('y'), bytes(hex('79'))) }),
      'an element of `outputs` must be a text',
    ],
  ])('is refused with %s', (_, body, message) => {
    expect(refusal(() => decode(body))).toContain(message);
  });
});

describe('the flat form', () => {
  it.each([
    ['a list', ints(1)],
    ['a number', int(1)],
    ['a typed array', array([1], 85, hex('0000803f'))],
    ['a described tensor', described('float32', [1], bytes(hex('0000803f')))],
    [
      'an endless described tensor',
      endlessMap({ data: bytes(hex('0000803f')), shape: ints(1), dtype: text('float32') }),
    ],
    ['a text', text('a')],
    ['a tagged list', tag(41, ints(1))],
  ])('is meant where `inputs` is a tensor: %s', (_, tensor) => {
    for (const body of [
      map({ inputs: tensor }),
      map({ inputs: tensor, signature: int(1), outputs: int(2) }),
    ]) {
      expect(namesIn(body)[0]).toBe('inputs');
      expect(decode(body)).toMatchObject({ signature: undefined, outputs: undefined });
    }
  });

  it.each([
    'signature',
    'outputs',
    'data',
    'shape',
    'dtype',
    '__proto__',
    'constructor',
    'hasOwnProperty',
    '',
    'é\u0000',
    '\ufeffx',
  ])('has no reserved names: %j is an input like any other', (name) => {
    const body = map({ [name]: int(1), other: int(2) });
    expect(new Set(namesIn(body))).toEqual(new Set([name, 'other']));
    expect(new Set(namesIn(map({ inputs: map({ [name]: int(1), other: int(2) }) })))).toEqual(
      new Set([name, 'other']),
    );
  });

  it('has room for an input named dtype, shape and data at once', () => {
    expect(namesIn(map({ dtype: int(1), shape: int(2), data: int(3) }))).toEqual(['dtype', 'shape', 'data']);
  });

  it('is what to send where an envelope around such inputs looks like a tensor', () => {
    const advice = 'send them without "inputs" around them, and the signature and the outputs in the query';
    const enveloped = map({ inputs: map({ dtype: int(1), shape: int(2), data: int(3) }) });
    expect(() => decode(enveloped)).toThrow(advice);
    const inJson = Buffer.from('{"inputs": {"dtype": 1, "shape": 2, "data": 3}}');
    expect(() => decodeJsonRequest(inJson, limits)).toThrow(advice);
  });
});

describe.each([
  ['serving_default', ['inputs', 'outputs', 'signature', 'data', 'shape', 'dtype']],
  ['proto', ['__proto__', 'constructor']],
])('a model whose inputs have awkward names (%s)', (name, names) => {
  // Object literals would set a prototype.
  const inputs = () => map(Object.fromEntries(names.map((each, i) => [each, ints(10 * i)])));

  it.each([
    ['envelope', () => map({ inputs: inputs(), signature: text(name) })],
    ['flat form', inputs],
  ])('gets each input under its name: %s', async (_, body) => {
    const before = held();
    const signature = signatureOf(awkward, name);
    const tensors = toTensors(decode(body()), signature, limits);
    const { outputs } = await awkward.predict(signature, [tensors]);
    const sums = names.map((each) => {
      const output = outputs.get(each);
      return output && [...output.dataSync()];
    });
    expect([...outputs.keys()].sort()).toEqual([...names].sort());
    expect(sums).toEqual(names.map((_each, i) => [10 * i + i + 1]));
    for (const output of outputs.values()) expect(viewTensor(output).dtype).toBe('float32');
    disposeTensors(outputs);
    disposeTensors(tensors);
    expect(held()).toEqual(before);
  });
});

it('a tensor that cannot be made leaves none of the others behind', () => {
  const before = held();
  const names = ['inputs', 'outputs', 'signature', 'data', 'shape', 'dtype'];
  for (const bad of names) {
    const body = map({
      inputs: map(Object.fromEntries(names.map((name) => [name, name === bad ? text('no') : ints(1)]))),
    });
    const message = refusal(() => toTensors(decode(body), signatureOf(awkward, 'serving_default'), limits));
    expect(message).toContain(`input \`${bad}\`: expected float32, got a text`);
    expect(held()).toEqual(before);
  }
});
