/** The schemas of requests and answers of one served model in JSON, by its signatures: names, dtypes, dims. */
import { z } from 'zod';
import { callerInputs, callerOutputs } from '../../../engines/composite.js';
import {
  type CallerSpec,
  type CompositeSpec,
  type Dim,
  formatSpec,
  type Signature,
  type TensorSpec,
} from '../../../engines/signature.js';
import type { Dtype } from '../../../tensors/dtypes.js';
import { exampleText } from '../example-request.js';
import {
  inferAnswerSchema,
  listsSchema,
  outputSchema,
  raggedSchemaOf,
  scalarSchema,
  sparseSchemaOf,
  stringSchema,
  tensorSchemaOf,
} from './infer-schemas.js';

/**
 * The longest list whose length is part of the schema. A greater length is only in the description, because pages make
 * up examples as long as the schema says.
 */
const longestList = 64;

/** A signature of a model, and whether it is meant when a request names none. */
export interface NamedSignature {
  readonly signature: Signature;
  readonly isDefault: boolean;
}

/** The inputs alone, for the default signature, or an envelope, for any signature. */
export function modelRequestSchema(signatures: readonly NamedSignature[]): z.ZodType {
  // Pages make up an example from the first form. It works without naming a signature.
  const defaultFirst = [...signatures].sort((a, b) => Number(b.isDefault) - Number(a.isDefault));
  const forms = defaultFirst.flatMap(({ signature, isDefault }) => {
    const inputs = inputsSchema(signature);
    const name = z.literal(signature.name);
    const envelope = z.strictObject({
      inputs,
      signature: isDefault ? name.nullish() : name,
      ...(signature.outputs.size === 0
        ? {}
        : {
            outputs: z
              .array(z.enum([...callerOutputs(signature).keys()]))
              .min(1)
              .nullish(),
          }),
    });
    return isDefault ? [inputs, envelope] : [envelope];
  });
  return forms.length === 1 ? (forms[0] as z.ZodType) : z.union(forms);
}

/** The fields of a form: JSON, or files for inputs that can be an image. */
export function modelFormSchema({ inputs }: Signature): z.ZodType {
  return z.object(
    Object.fromEntries(
      Array.from(inputs.values(), (spec) => {
        const field = z.string().describe(formatSpec(spec));
        const example = exampleText(spec);
        const more = isImage(spec)
          ? { format: 'binary' }
          : example === undefined
            ? {}
            : { examples: [example] };
        return [spec.name, field.meta(more)];
      }),
    ),
  );
}

/** The {@link inferAnswerSchema} with the outputs of one of the signatures, or those that were asked for. */
export function modelAnswerSchema(model: string, signatures: readonly NamedSignature[]): z.ZodType {
  // Signatures that return the same outputs become one form.
  const distinct = new Map(signatures.map(({ signature }) => [describeOutputs(signature), signature]));
  const outputs = Array.from(distinct.values(), (signature) =>
    z.object(mapSpecs(callerOutputs(signature), (spec) => outputOf(spec).optional())),
  );
  return inferAnswerSchema.extend({
    model: z.literal(model),
    outputs: outputs.length === 1 ? (outputs[0] as z.ZodType) : z.union(outputs),
  });
}

/** The parts of a spec that its schema shows. */
const shown = ['name', 'kind', 'dtype', 'shape', 'indices', 'values', 'denseShape', 'rowSplits'];

function describeOutputs(signature: Signature): string {
  const specs = [...callerOutputs(signature).values()];
  return JSON.stringify(specs.map((spec) => JSON.stringify(spec, shown)).sort());
}

function inputsSchema(signature: Signature): z.ZodType {
  // Beside a sparse or ragged tensor, no input may leave out its first dim.
  const maySingle = signature.composites === undefined;
  return z.strictObject(mapSpecs(callerInputs(signature), (spec) => inputOf(spec, maySingle)));
}

function mapSpecs(specs: ReadonlyMap<string, CallerSpec>, map: (spec: CallerSpec) => z.ZodType) {
  return Object.fromEntries(Array.from(specs.values(), (spec) => [spec.name, map(spec)]));
}

function inputOf(spec: CallerSpec, maySingle: boolean): z.ZodType {
  if (spec.kind !== undefined) {
    const parts = partsOf(spec, tensorSchemaOf);
    const { dtype, shape } = spec;
    // A ragged tensor may also be lists, like its rows.
    const isLists = spec.kind === 'ragged' && shape !== null;
    return (isLists ? z.union([lists(shape, elementOf(dtype)), parts]) : parts).describe(formatSpec(spec));
  }
  const first = spec.shape?.[0];
  const mayLeaveOutFirst = maySingle && (first === null || first === 1);
  return tensorSchemaOf(valuesOf(spec, mayLeaveOutFirst)).describe(formatSpec(spec));
}

/** @param tensor makes the schema of a part from that of its plain values */
function partsOf(spec: CompositeSpec, tensor: (values: z.ZodType) => z.ZodType): z.ZodType {
  const part = (each: TensorSpec) => tensor(valuesOf(each, false));
  if (spec.kind === 'sparse')
    return sparseSchemaOf(part(spec.indices), part(spec.values), part(spec.denseShape));
  return spec.rowSplits.reduceRight<z.ZodType>(
    (values, splits) => raggedSchemaOf(values, part(splits)),
    part(spec.values),
  );
}

function outputOf(spec: CallerSpec): z.ZodType {
  if (spec.kind !== undefined) return partsOf(spec, (values) => values).describe(formatSpec(spec));
  // A batch of one sample comes without the batch dim.
  return spec.shape === null
    ? outputSchema
    : valuesOf(spec, spec.shape[0] === null).describe(formatSpec(spec));
}

/** Nested lists with the dims of a spec; also without the first dim, if it may be left out. */
function valuesOf({ dtype, shape }: TensorSpec, mayLeaveOutFirst: boolean): z.ZodType {
  if (shape === null) return z.union([scalarSchema, listsSchema]);
  const element = elementOf(dtype);
  const [, ...rest] = shape;
  return mayLeaveOutFirst ? z.union([lists(shape, element), lists(rest, element)]) : lists(shape, element);
}

function lists(shape: readonly Dim[], element: z.ZodType): z.ZodType {
  return shape.reduceRight<z.ZodType>((inner, dim) => {
    const list = z.array(inner);
    return dim !== null && dim <= longestList ? list.length(dim) : list;
  }, element);
}

function elementOf(dtype: Dtype): z.ZodType {
  switch (dtype) {
    case 'bool':
      return z.boolean();
    case 'string':
      return stringSchema;
    case 'complex64':
    case 'complex128':
      return z.tuple([floatSchema, floatSchema]);
    case 'int64':
    case 'uint64':
      return dtype === 'int64' ? z.int() : z.int().nonnegative();
    case 'int8':
    case 'int16':
    case 'int32':
      return z
        .int()
        .min(-(2 ** (bitsOf(dtype) - 1)))
        .max(2 ** (bitsOf(dtype) - 1) - 1);
    case 'uint8':
    case 'uint16':
    case 'uint32':
      return z
        .int()
        .min(0)
        .max(2 ** bitsOf(dtype) - 1);
    default:
      return floatSchema;
  }
}

function bitsOf(dtype: Dtype): number {
  return Number(/\d+$/.exec(dtype)?.[0]);
}

/** A bare `NaN` is no JSON, but a text is. */
const floatSchema = z.union([z.number(), z.enum(['NaN', 'Infinity', '-Infinity'])]).meta({ id: 'Float' });

/** True for a rank and a last dim that images can be decoded to. */
function isImage({ shape }: TensorSpec): boolean {
  const channels = shape?.at(-1) ?? null;
  return shape !== null && shape.length >= 3 && (channels === null || [1, 3, 4].includes(channels));
}
