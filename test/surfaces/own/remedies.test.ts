/**
 * What an error says to do, in the words of the protocol that was asked.
 */
import { expect, it } from 'vitest';
import { type Remedy, ServingError } from '../../../src/errors.ts';
import { errorAnswer } from '../../../src/surfaces/oip-rest/values.ts';
import { adviceForPath, helpfulMessage } from '../../../src/surfaces/own/remedies.ts';

/** How the two protocols put it. */
function told(remedy: Remedy): [own: string, oip: string] {
  const error = new ServingError('INVALID_ARGUMENT', 'so', { remedy });
  const [bytes = new Uint8Array()] = errorAnswer(undefined as never, error).body.parts;
  return [helpfulMessage(error), JSON.parse(new TextDecoder().decode(bytes)).error];
}

it.each<[Remedy, string, string]>([
  [
    { kind: 'list models' },
    'so: GET /models lists them; see /docs',
    'so: POST /v2/repository/index lists them',
  ],
  [
    { kind: 'load', model: 'm n' },
    'so: POST /update_model {"model":"m n"} loads it again',
    'so: POST /v2/repository/models/m%20n/load loads it again',
  ],
  [
    { kind: 'look at a model', model: 'm n' },
    'so; see /models/m%20n',
    'so; POST /v2/repository/index says why',
  ],
  [
    { kind: 'send a dtype', dtype: 'bool', bytes: 'x.astype(np.bool_).tobytes()' },
    'so: send {"dtype": "bool", "shape": x.shape, "data": x.astype(np.bool_).tobytes()}',
    'so; as datatype BOOL',
  ],
])('%o is told in the words of the protocol', (remedy, own, oip) => {
  expect(told(remedy)).toEqual([own, oip]);
});

it.each([
  ['/v1/models/m:predict', 'TensorFlow Serving'],
  ['/v1/models/m/versions/1:predict', 'TensorFlow Serving'],
])('%s is told as a path of %s', (path, server) => {
  expect(adviceForPath(path)).toContain(server);
});

it.each([
  ['/v1/models/m:predict', 'm'],
  ['/predict', '{name}'],
  ['/predictions/m', 'm'],
  ['/invocations', '{name}'],
  ['/models/m/predict', 'm'],
  ['/models/m/versions/3/predict', 'm'],
  ['/models/m%20n:predict', 'm%20n'],
  [`/models/${'m'.repeat(1000)}:predict`, '{name}'],
])('%s is told the path here, of %s', (path, model) => {
  expect(adviceForPath(path)).toContain(`here it is /models/${model}/infer`);
});

it.each([
  ['/v1/models/m', 'm'],
  ['/v1/models/m/metadata', 'm'],
  ['/v1/models/m/versions/1', 'm'],
  ['/v1/models/m/versions/1/metadata', 'm'],
  ['/v1/models', '{name}'],
])('%s, which asks for the state of a model, is told the path for that', (path, model) => {
  expect(adviceForPath(path)).toMatch(new RegExp(`here it is /models/${model}( |$)`));
});

it.each(['/models/m/prediction', '/models/a/b/predict', '/predict/a/b'])('%s is told no path', (path) => {
  expect(adviceForPath(path)).toBe('');
});

it.each(['/v1', '/v3/models/m', '/models/v1/models/infer', '/v2/models/m/infer'])(
  '%s is told nothing',
  (path) => {
    expect(adviceForPath(path)).toBe('');
  },
);
