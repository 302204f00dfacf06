/**
 * A SavedModel's `SignatureDef` (meta_graph.proto) into a signature.
 */

import { type Dtype, dtypeOf } from '../../../tensors/dtypes.js';
import { componentsOf } from '../../composite.js';
import type { CompositeSpec, Dim, Signature, TensorSpec } from '../../signature.js';

/** struct.proto, for a protobufjs schema that also has `tensorShapeSchema`. */
export const structuredValueSchema = `
  message TensorSpecProto { string name = 1; }
  message PairValue {
    string key = 1;
    StructuredValue value = 2;
  }
  message DictValue { repeated PairValue fields = 1; }
  message NamedTupleValue { repeated PairValue values = 2; }
  message TupleValue { repeated StructuredValue values = 1; }
  message StructuredValue {
    TensorShapeProto tensor_shape_value = 31;
    TensorSpecProto tensor_spec_value = 33;
    TypeSpecProto type_spec_value = 34;
    TensorSpecProto bounded_tensor_spec_value = 35;
    TupleValue list_value = 51;
    TupleValue tuple_value = 52;
    DictValue dict_value = 53;
    NamedTupleValue named_tuple_value = 54;
  }
  message TypeSpecProto {
    int32 type_spec_class = 1;
    StructuredValue type_state = 2;
    int32 num_flat_components = 4;
  }
`;

/**
 * For a protobufjs schema that also has `tensorShapeSchema`. Maps are written as the repeated entries they are on the
 * wire, so that a tensor called `__proto__` is only a name.
 */
export const signatureDefSchema = `
  ${structuredValueSchema}
  message CooSparse {
    string values_tensor_name = 1;
    string indices_tensor_name = 2;
    string dense_shape_tensor_name = 3;
  }
  message CompositeTensor {
    TypeSpecProto type_spec = 1;
    repeated TensorInfo components = 2;
  }
  message TensorInfo {
    string name = 1;
    int32 dtype = 2;
    TensorShapeProto tensor_shape = 3;
    CooSparse coo_sparse = 4;
    CompositeTensor composite_tensor = 5;
  }
  message NamedTensorInfo {
    string key = 1;
    TensorInfo value = 2;
  }
  message SignatureDef {
    repeated NamedTensorInfo inputs = 1;
    repeated NamedTensorInfo outputs = 2;
  }
  message NamedSignatureDef {
    string key = 1;
    SignatureDef value = 2;
  }
`;

interface Shape {
  readonly dim: readonly { readonly size: number }[];
  readonly unknownRank: boolean;
}

interface StructuredValue {
  readonly tensorShapeValue?: Shape | null;
  readonly tupleValue?: { readonly values: readonly StructuredValue[] } | null;
}

interface TypeSpec {
  readonly typeSpecClass: number;
  readonly typeState?: StructuredValue | null;
}

interface TensorInfo {
  readonly name: string;
  readonly dtype: number;
  readonly tensorShape?: Shape | null;
  readonly cooSparse?: {
    readonly valuesTensorName: string;
    readonly indicesTensorName: string;
    readonly denseShapeTensorName: string;
  } | null;
  readonly compositeTensor?: {
    readonly typeSpec?: {
      readonly typeSpecClass: number;
      readonly typeState?: StructuredValue | null;
    } | null;
    readonly components: readonly TensorInfo[];
  } | null;
}

/** An entry of a protobuf map; both fields may be left out on the wire. */
export interface Entry<Value> {
  readonly key: string;
  readonly value?: Value;
}

/** The message as protobufjs gives it under `{ defaults: true, longs: Number }`. */
export interface SignatureDef {
  readonly inputs: readonly Entry<TensorInfo>[];
  readonly outputs: readonly Entry<TensorInfo>[];
}

/** Classes of types, of struct.proto. */
export const [sparseTensorSpec, raggedTensorSpec] = [1, 3];

/** @returns undefined if one of its tensors is of a dtype or an encoding that cannot travel */
export function readSignatureDef(
  name: string,
  { inputs, outputs }: SignatureDef,
): Omit<Signature, 'operations'> | undefined {
  const [taken, given] = [readTensors(inputs), readTensors(outputs)];
  if (!taken || !given) return undefined;
  const hasComposites = taken.composites.size + given.composites.size > 0;
  return {
    name,
    inputs: taken.specs,
    outputs: given.specs,
    composites: hasComposites ? { inputs: taken.composites, outputs: given.composites } : undefined,
  };
}

interface Tensors {
  /** Of the graph. */
  readonly specs: Map<string, TensorSpec>;
  readonly composites: Map<string, CompositeSpec>;
}

function readTensors(infos: readonly Entry<TensorInfo>[]): Tensors | undefined {
  const specs = new Map<string, TensorSpec>();
  const composites = new Map<string, CompositeSpec>();
  for (const { key: name, value: info } of infos) {
    const spec = info && (toSpec(name, info) ?? toSparse(name, info) ?? toComposite(name, info));
    if (!spec) return undefined;
    if (spec.kind !== undefined) composites.set(name, spec);
    for (const each of spec.kind === undefined ? [spec] : componentsOf(spec)) {
      if (specs.has(each.name)) return undefined;
      specs.set(each.name, each);
    }
  }
  return { specs, composites };
}

function toSpec(
  name: string,
  { name: graphName, dtype: number, tensorShape }: TensorInfo,
): TensorSpec | undefined {
  const dtype = dtypeOf(number);
  if (!dtype || graphName === '') return undefined;
  return { name, dtype, shape: toShape(tensorShape), graphName };
}

/** `coo_sparse`: dtype and shape are those of the tensor that it stands for. */
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

/** `composite_tensor`: a type, and the tensors that a value of it is. */
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
 * A value of a type whose components are these.
 *
 * @returns a tensor like any other for a ragged one without a ragged dim; undefined for any other type
 */
export function compositeOf(
  name: string,
  { typeSpecClass, typeState }: TypeSpec,
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

/** What the row splits of so many dims are called where they are tensors of their own, outermost first. */
function rowSplitsNames(count: number): string[] {
  return count === 1 ? ['row_splits'] : Array.from({ length: count }, (_, i) => `row_splits_${i}`);
}

function toShape(shape: Shape | null | undefined): readonly Dim[] | null {
  if (!shape || shape.unknownRank) return null;
  return shape.dim.map(({ size }) => (size < 0 ? null : size));
}
