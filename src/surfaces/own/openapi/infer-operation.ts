/** What the inference routes take and return. The media types are those of the codecs. */

import { z } from 'zod';
import { answerCodecs, cborAnswers, cborRequests } from '../../../codec/codecs.js';
import { keysOf } from '../../../flow/keys.js';
import { type Content, jsonFirst, type Operation, type Parameter } from '../../../http/routes/operation.js';
import { bodyDecoders } from '../body-decoders.js';
import { modelErrors } from './answer-schemas.js';
import {
  cborAnswerSchema,
  cborRequestSchema,
  formSchema,
  inferAnswerSchema,
  inferRequestSchema,
} from './infer-schemas.js';
import { labelParameter, modelParameter, timeoutParameter, versionParameter } from './parameters.js';

const whose = {
  '/infer': { id: 'infer', model: 'the default model', parameters: [] },
  '/models/:model/infer': { id: 'inferModel', model: 'a model', parameters: [modelParameter] },
  '/models/:model/versions/:version/infer': {
    id: 'inferVersion',
    model: 'a version of a model',
    parameters: [modelParameter, versionParameter],
  },
  '/models/:model/labels/:label/infer': {
    id: 'inferLabel',
    model: 'the version of a model that has a label',
    parameters: [modelParameter, labelParameter],
  },
} as const;

export type InferPath = keyof typeof whose;

export const inferPaths = keysOf(whose);

export function inferOperation(path: InferPath): Operation {
  const { id, model, parameters } = whose[path];
  return {
    id,
    tag: 'inference',
    summary: `One prediction by ${model}`,
    description:
      'For one sample, without the batch dim, or for a batch. The body says the inputs by name, and may say which signature and ' +
      'which outputs are wanted.',
    parameters: [...parameters, ...queryParameters, timeoutParameter],
    body: {
      description:
        'Tensors by the names of the inputs, of which `GET /models/{model}` tells dtypes and shapes. A `.npy` array and an image are the only input of a signature.',
      required: true,
      content: requestContent(),
    },
    answers: {
      200: {
        description:
          'The outputs. In `application/json`, NaN and the infinities are bare words, which some parsers refuse; with ' +
          '`strict=true` they are texts.',
        content: answerContent(),
        headers: ['Server-Timing'],
      },
    },
    errors: modelErrors,
  };
}

/** The parameters for bodies without an envelope. One that the envelope also sets is refused. */
export const queryParameters: readonly Parameter[] = [
  {
    name: 'signature',
    in: 'query',
    description: 'The signature that is meant; the default one if left out.',
    schema: z.string(),
  },
  {
    name: 'outputs',
    in: 'query',
    description: 'The outputs to give, separated by commas; all if left out.',
    schema: z.array(z.string()).min(1),
  },
];

/** The example asks `half_plus_two` of the demo models. */
function requestContent(): Content[] {
  return jsonFirst(bodyDecoders.map(({ mediaType }) => mediaType)).map((type) => ({
    mediaTypes: [type],
    ...requestForm(type),
  }));
}

function requestForm(type: string): Pick<Content, 'schema' | 'example'> {
  if (type === 'application/json') return { schema: inferRequestSchema, example: { x: [1, 2, 5] } };
  if (type === 'multipart/form-data') return { schema: formSchema };
  return type === cborRequests.mediaType ? { schema: cborRequestSchema } : {};
}

function answerContent(): Content[] {
  return jsonFirst(answerCodecs.map(({ mediaType }) => mediaType)).map((type) => ({
    mediaTypes: [type],
    ...answerForm(type),
  }));
}

function answerForm(type: string): Pick<Content, 'schema'> {
  if (type.startsWith('application/json')) return { schema: inferAnswerSchema };
  return type === cborAnswers.mediaType ? { schema: cborAnswerSchema } : {};
}
