/**
 * What the inference routes take and give. The media types are those of the codecs.
 */
import { answerCodecs, cborAnswers, cborRequests, requestCodecs } from '../codec/codecs.js';
import { modelErrors } from './answer-schemas.js';
import {
  cborAnswerSchema,
  cborRequestSchema,
  inferAnswerSchema,
  inferRequestSchema,
} from './infer-schemas.js';
import { type Content, jsonFirst, type Operation } from './operation.js';
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

export const inferPaths = Object.keys(whose) as InferPath[];

export function inferOperation(path: InferPath): Operation {
  const { id, model, parameters } = whose[path];
  return {
    id,
    tag: 'inference',
    summary: `One prediction by ${model}`,
    parameters: [...parameters, timeoutParameter],
    body: {
      description:
        'Tensors by the names of the inputs. `GET /models/{model}` tells names, dtypes and shapes.',
      required: true,
      content: requestContent(),
    },
    answers: {
      200: { description: 'The outputs', content: answerContent(), headers: ['Server-Timing'] },
    },
    errors: modelErrors,
  };
}

/** The example is of the demo's `half_plus_two`. */
function requestContent(): Content[] {
  return jsonFirst(requestCodecs.map(({ mediaType }) => mediaType)).map((type) => ({
    mediaTypes: [type],
    ...requestForm(type),
  }));
}

function requestForm(type: string): Pick<Content, 'schema' | 'example'> {
  if (type === 'application/json') return { schema: inferRequestSchema, example: { x: [1, 2, 5] } };
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
