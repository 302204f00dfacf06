/** Reads a `SignatureDef` of a SavedModel (meta_graph.proto) into a signature. */
import type { tensorflow } from '#proto/decoders.js';
import { type Dtype, dtypeOf } from '../../../tensors/dtypes.js';
import { componentsOf } from '../../composite.js';
import type { CompositeSpec, Dim, Signature, TensorSpec, UnusableSignature } from '../../signature.js';
import { parseTensorName } from '../graph/prove.js';
import { graphNameOf } from '../graph-name.js';
import { dtypeName } from '../proto/dtype-names.js';

/** An entry of a protobuf map. The wire may leave out both fields. */
export interface Entry<Value> {
  readonly key: string;
  readonly value?: Value | null;
}

export interface SignatureDef {
  readonly inputs: readonly Entry<TensorInfo>[];
  readonly outputs: readonly Entry<TensorInfo>[];
}

type TensorInfo = tensorflow.TensorInfo;

/** The numbers of two classes of types in struct.proto. */
export const [sparseTensorSpec, raggedTensorSpec] = [1, 3];

/**
 * @returns the signature, or why it cannot be served: a tensor has a dtype or an encoding that cannot travel, or two
 * inputs are one tensor
 */
export function readSignatureDef(
  name: string,
  { inputs, outputs }: SignatureDef,
): Omit<Signature, 'operations'> | UnusableSignature {
  const [taken, given] = [readTensors('input', inputs), readTensors('output', outputs)];
  if (typeof taken === 'string') return { name, why: taken };
  if (typeof given === 'string') return { name, why: given };
  const twice = findFedTwice([...taken.specs.values()]);
  if (twice !== undefined) return { name, why: twice };
  const hasComposites = taken.composites.size + given.composites.size > 0;
  return {
    name,
    inputs: taken.specs,
    outputs: given.specs,
    composites: hasComposites ? { inputs: taken.composites, outputs: given.composites } : undefined,
  };
}

interface Tensors {
  /** The tensors of the graph. */
  readonly specs: Map<string, TensorSpec>;
  readonly composites: Map<string, CompositeSpec>;
}

/** Finds two inputs that are one tensor of the graph. TensorFlow takes only one value for it. */
function findFedTwice(inputs: readonly TensorSpec[]): string | undefined {
  const seen = new Map<string, string>();
  for (const input of inputs) {
    const { name } = input;
    const { node, index } = parseTensorName(graphNameOf(input));
    const tensor = `${node}:${index}`;
    const other = seen.get(tensor);
    if (other !== undefined)
      return `inputs \`${other}\` and \`${name}\` are the same tensor of the graph, \`${tensor}\``;
    seen.set(tensor, name);
  }
  return undefined;
}

/** @returns the tensors, or why one cannot travel */
function readTensors(kind: 'input' | 'output', infos: readonly Entry<TensorInfo>[]): Tensors | string {
  const specs = new Map<string, TensorSpec>();
  const composites = new Map<string, CompositeSpec>();
  for (const { key: name, value: info } of infos) {
    const spec = info && (toSpec(name, info) ?? toSparse(name, info) ?? toComposite(name, info));
    if (!spec) return `${kind} \`${name}\` ${whyNoSpec(info)}`;
    if (spec.kind !== undefined) composites.set(name, spec);
    for (const each of spec.kind === undefined ? [spec] : componentsOf(spec)) {
      if (specs.has(each.name)) return `two ${kind}s are called \`${each.name}\``;
      specs.set(each.name, each);
    }
  }
  return { specs, composites };
}

function whyNoSpec(info: TensorInfo | null | undefined): string {
  if (!info) return 'is not described';
  const parts = [info, ...(info.compositeTensor?.components ?? [])];
  const odd = parts.find(({ dtype, compositeTensor }) => !compositeTensor && !dtypeOf(dtype));
  if (odd) return `is ${dtypeName(odd.dtype)}, which cannot travel`;
  return info.compositeTensor
    ? 'is a composite tensor that is neither sparse nor ragged'
    : 'names no tensor of the graph';
}

function toSpec(
  name: string,
  { name: graphName, dtype: number, tensorShape }: TensorInfo,
): TensorSpec | undefined {
  const dtype = dtypeOf(number);
  if (!dtype || graphName === '') return undefined;
  return { name, dtype, shape: toShape(tensorShape), graphName };
}

/** Reads `coo_sparse`. Its dtype and shape are those of the tensor that it stands for. */
function toSparse(
  name: string,
  { dtype: number, tensorShape, cooSparse }: TensorInfo,
): CompositeSpec | undefined {
  const dtype = dtypeOf(number);
  if (!dtype || !cooSparse) return undefined;
  const { indicesTensorName, valuesTensorName, denseShapeTensorName } = cooSparse;
  const shape = toShape(tensorShape);
  const rank = shape?.length ?? null;
  const part = (part: string, type: Dtype, dims: readonly Dim[], graphName: string): TensorSpec => ({
    name: `${name}/${part}`,
    dtype: type,
    shape: dims,
    graphName,
  });
  return {
    kind: 'sparse',
    name,
    dtype,
    shape,
    indices: part('indices', 'int64', [null, rank], indicesTensorName),
    values: part('values', dtype, [null], valuesTensorName),
    denseShape: part('dense_shape', 'int64', [rank], denseShapeTensorName),
  };
}

/** Reads `composite_tensor`: a type, and the tensors that make a value of it. */
function toComposite(name: string, { compositeTensor }: TensorInfo): CompositeSpec | TensorSpec | undefined {
  const { typeSpec, components = [] } = compositeTensor ?? {};
  if (!typeSpec) return undefined;
  const parts =
    typeSpec.typeSpecClass === sparseTensorSpec
      ? ['indices', 'values', 'dense_shape']
      : ['values', ...rowSplitsNames(components.length - 1)];
  const specs = components.flatMap((info, i) => toSpec(`${name}/${parts[i]}`, info) ?? []);
  return specs.length === components.length ? compositeOf(name, typeSpec, specs) : undefined;
}

/**
 * The spec of a value of a type with these components.
 *
 * @returns a dense spec for a ragged tensor without a ragged dim; undefined for any other type
 */
export function compositeOf(
  name: string,
  { typeSpecClass, typeState }: tensorflow.TypeSpecProto,
  components: readonly TensorSpec[],
): CompositeSpec | TensorSpec | undefined {
  const shape = toShape(typeState?.tupleValue?.values[0]?.tensorShapeValue);
  if (typeSpecClass === sparseTensorSpec && components.length === 3) {
    const [indices, values, denseShape] = components as [TensorSpec, TensorSpec, TensorSpec];
    return { kind: 'sparse', name, dtype: values.dtype, shape, indices, values, denseShape };
  }
  const [values, ...rowSplits] = components;
  if (typeSpecClass !== raggedTensorSpec || !values) return undefined;
  if (rowSplits.length === 0) return { ...values, name };
  return { kind: 'ragged', name, dtype: values.dtype, shape, values, rowSplits };
}

/** The names of the row splits of so many dims if they are separate tensors, outermost first. */
function rowSplitsNames(count: number): string[] {
  return count === 1 ? ['row_splits'] : Array.from({ length: count }, (_, i) => `row_splits_${i}`);
}

function toShape(shape: tensorflow.TensorShapeProto | null | undefined): readonly Dim[] | null {
  if (!shape || shape.unknownRank) return null;
  return shape.dim.map(({ size }) => (Number(size) < 0 ? null : Number(size)));
}
