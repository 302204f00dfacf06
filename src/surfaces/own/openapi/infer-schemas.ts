/**
 * The schemas of inference requests and answers in JSON. They do not check requests: the decoders (`codec/`) do, with
 * parsers that bound and convert values while they read. The schemas describe exactly the forms that the decoders
 * accept.
 */

import { z } from 'zod';
import { keysOf } from '../../../flow/keys.js';
import { dtypes } from '../../../tensors/dtypes.js';

const base64Schema = z
  .strictObject({ b64: z.string().meta({ contentEncoding: 'base64' }) })
  .meta({ id: 'Base64', description: 'A byte string.' });

/** A text, or bytes that may be none. */
export const stringSchema = z.union([z.string(), base64Schema]);

export const scalarSchema = z.union([z.number(), z.boolean(), stringSchema]);

export const listsSchema: z.ZodType = z.array(z.union([scalarSchema, z.lazy(() => listsSchema)])).meta({
  id: 'NestedLists',
  description: 'As many levels as the tensor has dims, each of equal lengths but for ragged dims.',
});

const describedSchema = z
  .looseObject({
    dtype: z.enum(keysOf(dtypes)),
    shape: z.array(z.int().nonnegative()),
    data: z.union([scalarSchema, listsSchema]).describe('lists, or the little-endian bytes as {"b64"}'),
  })
  .meta({ id: 'DescribedTensor', description: 'A tensor with its dtype and shape.' });

/** A tensor with such plain values; or the same with its dtype and shape beside it. */
export function tensorSchemaOf(values: z.ZodType): z.ZodType {
  return z.union([values, describedSchema]);
}

const plainTensorSchema = tensorSchemaOf(z.union([scalarSchema, listsSchema]));

/** The parts of a sparse tensor. */
export function sparseSchemaOf(indices: z.ZodType, values: z.ZodType, denseShape: z.ZodType): z.ZodType {
  return z.strictObject({ indices, values, dense_shape: denseShape });
}

/** The parts of a ragged tensor. */
export function raggedSchemaOf(values: z.ZodType, rowSplits: z.ZodType): z.ZodType {
  return z.strictObject({ values, row_splits: rowSplits });
}

const sparseSchema = sparseSchemaOf(plainTensorSchema, plainTensorSchema, plainTensorSchema).meta({
  id: 'SparseTensor',
  description:
    'For inputs that are sparse: where its values lie, [n, rank], the values, and the shape of the whole.',
});

const raggedSchema: z.ZodType = raggedSchemaOf(
  z.union([plainTensorSchema, z.lazy(() => raggedSchema)]),
  plainTensorSchema,
).meta({
  id: 'RaggedTensor',
  description:
    'For inputs that are ragged: the values of all rows, ragged themselves or not, and where each row begins and the last ends.',
});

const tensorSchema = z.union([plainTensorSchema, sparseSchema, raggedSchema]).meta({
  id: 'Tensor',
  description: 'Plain numbers take the dtype that the signature asks for.',
});

function requestSchema(tensor: z.ZodType) {
  const envelope = z.strictObject({
    inputs: z.record(z.string(), tensor),
    signature: z.string().nullish().describe('the default one if left out'),
    outputs: z.array(z.string()).min(1).nullish().describe('those to give; all if left out'),
  });
  return z.union([envelope, z.record(z.string(), tensor)]);
}

export const inferRequestSchema = requestSchema(tensorSchema).meta({
  id: 'InferBody',
  description:
    'A map from input names to tensors; or, to choose a signature or outputs, that map as `inputs` of an envelope.',
});

/** A request in CBOR. A tensor may also have a form there that JSON Schema does not know. */
export const cborRequestSchema = requestSchema(
  z.unknown().meta({
    id: 'CborTensor',
    description:
      'As in JSON, the parts of a sparse or ragged one too; or, of RFC 8746, a typed array (tags 64 to 87) or an array of any shape (tag 40 or 1040); `data` and ' +
      'texts may be byte strings.',
  }),
).meta({ id: 'CborInferRequest' });

export const formSchema = z.record(z.string(), z.string()).meta({
  id: 'InferForm',
  description:
    'A field for each input: JSON, a text, or a file (an image, .npy, .npz, .json). Several of one name are the rows of a batch.',
});

function answerSchema(output: z.ZodType) {
  return z.object({
    status: z.literal('ok'),
    model: z.string(),
    version: z.int(),
    generation: z.int().describe('the load of that version which answered'),
    outputs: z.record(z.string(), output),
  });
}

const denseOutputSchema = z.union([scalarSchema, listsSchema]);

const raggedOutputSchema: z.ZodType = z.lazy(() =>
  raggedSchemaOf(z.union([denseOutputSchema, raggedOutputSchema]), listsSchema),
);

export const outputSchema = z
  .union([denseOutputSchema, sparseSchemaOf(listsSchema, listsSchema, listsSchema), raggedOutputSchema])
  .meta({
    id: 'Output',
    description:
      'Nested lists; bytes that are no text are {"b64"}, complex numbers [re, im]. Of sparse and ragged tensors the parts.',
  });

export const inferAnswerSchema = answerSchema(outputSchema).meta({ id: 'InferAnswer' });

export const cborAnswerSchema = answerSchema(
  z.unknown().meta({
    id: 'CborOutput',
    description:
      'An array of RFC 8746, or {"dtype", "shape", "data"}; of a sparse or ragged tensor its parts, each such an array.',
  }),
).meta({ id: 'CborInferAnswer' });
