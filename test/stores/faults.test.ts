/**
 * What a `serving.json` or a request of control says wrong, in one sentence with the place.
 */
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { storageFailure } from '../../src/files/storage-failure.ts';
import { parseJsonText } from '../../src/handwritten/json-text.ts';
import { checked, modelSchema, repositorySchema } from '../../src/stores/serving-schema.ts';
import { refusal } from '../fixtures/codec.ts';

const request = z.strictObject({
  version: z.union([z.int().nonnegative(), z.literal('latest')]).optional(),
  timeout: z.number().positive().max(3600).optional(),
  unload: z.literal(true).optional(),
});

describe('a value that a schema refuses', () => {
  it.each<[schema: z.ZodType, value: unknown, message: string]>([
    [request, { version: 'two' }, 'expected a number or the text `latest` at `version`, got the text `two`'],
    [request, { version: [1] }, 'expected a number or the text `latest` at `version`, got a list'],
    [request, { timeout: -1 }, 'expected a number greater than 0 at `timeout`, got -1'],
    [request, { timeout: 5000 }, 'expected a number of at most 3600 at `timeout`, got 5000'],
    [request, { unload: 1 }, 'expected true at `unload`, got 1'],
    [
      request,
      { versoin: 1 },
      '`versoin` is not known (did you mean `version`?); there are `version`, `timeout`, `unload`',
    ],
    [
      request.meta({ id: 'RequestOfFaults' }),
      { versoin: 1 },
      '`versoin` is not known (did you mean `version`?); there are `version`, `timeout`, `unload`',
    ],
    [request, [], 'expected an object, got an empty list'],
    [
      repositorySchema,
      { default_model: '' },
      'expected a text with a length of at least 1 at `default_model`, got an empty text',
    ],
    [modelSchema, { name: 1 }, '`name` is not known; there are `model_version_policy`, '],
    [modelSchema, { pin: '3' }, 'expected a number at `pin`, got the text `3`'],
    [
      modelSchema,
      { batching_parameters: { max_batch_sise: 1 } },
      '`max_batch_sise` is not known at `batching_parameters` (did you mean `max_batch_size`?); there are `enabled`, ',
    ],
    [
      modelSchema,
      { model_version_policy: { newest: {} } },
      'expected an object with `latest` or an object with `all` or an object with `specific` at `model_version_policy`, got an object',
    ],
    [
      modelSchema,
      { model_version_policy: { latest: { num_versions: 'x' } } },
      'expected a number at `model_version_policy.latest.num_versions`, got the text `x`',
    ],
    [modelSchema, { version_labels: { 'a b': 1 } }, 'expected a key that is of letters, digits'],
    [
      modelSchema,
      { batching_parameters: { allowed_batch_sizes: [4, 2] } },
      'allowed_batch_sizes must ascend',
    ],
  ])('%# is told in one line', (schema, value, message) => {
    const told = refusal(() => checked(schema, value));
    expect(told).toContain(message);
    expect(told).not.toMatch(/\n|✖|Invalid/);
  });

  it('with many faults names the first', () => {
    const told = refusal(() => checked(request, { version: 'x', timeout: 'y', unload: 'z', what: 1 }));
    expect(told.split('; ')).toHaveLength(4);
    expect(told).toMatch(/; and 1 more$/);
  });
});

describe('JSON in single quotes', () => {
  it.each<[text: string, place: string]>([
    ["{'a': 1}", 'line 1, column 2'],
    ['{"it\'s": 1,\n "b": \'x\'}', 'line 2, column 7'],
  ])('%j says so, with the place', (text, place) => {
    expect(refusal(() => parseJsonText(text))).toBe(
      `JSON has its texts in double quotes, and this one is in single ones: ${place}`,
    );
  });

  it('within double quotes is a letter like any other', () => {
    expect(parseJsonText('{"it\'s": "\\"\'"}')).toEqual({ "it's": '"\'' });
    expect(refusal(() => parseJsonText('{"it\'s": }'))).not.toContain('double quotes');
  });
});

describe('a file that cannot be read', () => {
  const failure = (code: string, errno: number) =>
    storageFailure('variables/variables.index', Object.assign(new Error(code), { code, errno }));

  it.each([
    ['EACCES', -13],
    ['EPERM', -1],
  ])('for lack of rights (%s) says who has none', (code, errno) => {
    expect(failure(code, errno)).toMatchObject({
      code: 'UNAVAILABLE',
      message: `variables/variables.index cannot be read now (${code}): permission denied: let the user that the server runs as (uid ${process.getuid?.()}) read it`,
    });
  });

  it('for a fault of the storage says so', () => {
    expect(failure('EIO', -5).message).toBe(
      'variables/variables.index cannot be read now (EIO): look at the storage',
    );
  });
});
