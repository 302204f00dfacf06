/** Makes the server's signatures from those of handlers and of tf.js models. */

import { z } from 'zod';
import type { Signature, TensorSpec } from '../engines/signature.js';
import { ServingError } from '../errors.js';
import { keysOf } from '../flow/keys.js';
import { describeFaults } from '../handwritten/schema-faults.js';
import { type Dtype, dtypes } from '../tensors/dtypes.js';

/** The name under which a handler's own signature is served. */
export const handlerSignatureName = 'serving_default';

const specSchema = z.strictObject({
  dtype: z.enum(keysOf(dtypes)),
  shape: z.array(z.int().min(-1)).optional(),
});
const specsSchema = z.record(z.string(), specSchema);
const signatureSchema = z.strictObject({ inputs: specsSchema, outputs: specsSchema.optional() });

/**
 * @param declared is the `signature` of a handler
 * @throws ServingError INVALID_ARGUMENT if it has another form
 */
export function readSignature(declared: unknown): Signature {
  const parsed = signatureSchema.safeParse(declared);
  if (!parsed.success)
    throw new ServingError(
      'INVALID_ARGUMENT',
      `the handler's \`signature\`: ${describeFaults(parsed.error, declared, signatureSchema)}`,
    );
  const { inputs, outputs = {} } = parsed.data;
  return { name: handlerSignatureName, inputs: toSpecs(inputs), outputs: toSpecs(outputs) };
}

function toSpecs(
  specs: Readonly<Record<string, { dtype: Dtype; shape?: readonly number[] | undefined }>>,
): ReadonlyMap<string, TensorSpec> {
  return new Map(
    Object.entries(specs).map(([name, { dtype, shape }]) => [
      name,
      {
        name,
        dtype,
        shape: shape === undefined ? null : shape.map((dim) => (dim === -1 ? null : dim)),
      },
    ]),
  );
}
