/**
 * Parameters that several routes take.
 */
import { z } from 'zod';
import { timeoutPattern } from '../../../http/request/timeout.js';
import type { Parameter } from '../../../http/routes/operation.js';

export const modelParameter: Parameter = {
  name: 'model',
  in: 'path',
  description: 'The name of a model, as `GET /models` has it.',
  schema: z.string().min(1),
};

export const versionParameter: Parameter = {
  name: 'version',
  in: 'path',
  description: 'A version that is loaded.',
  schema: z.int().nonnegative(),
};

export const labelParameter: Parameter = {
  name: 'label',
  in: 'path',
  description: 'A label of the model, as `stable`.',
  schema: z.string().min(1),
};

export const timeoutParameter: Parameter = {
  name: 'X-Request-Timeout',
  in: 'header',
  description: 'Seconds after which the answer is 504. It can only lower what the server allows.',
  schema: z.string().regex(timeoutPattern),
};

export const requestIdParameter: Parameter = {
  name: 'X-Request-Id',
  in: 'header',
  description:
    'A name for this request in logs, of up to 128 visible characters of ASCII. The answer repeats it; any other is replaced.',
  schema: z.string(),
};
