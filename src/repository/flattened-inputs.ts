/**
 * Which inputs of a signature are the components of one sparse or ragged tensor.
 *
 * `tf.saved_model.save` writes a sparse or ragged argument `x` as dense inputs `x`, `x_1`, `x_2`. What the argument was is
 * told by the graph of objects: it names the wrapper of each signature, the wrapper calls the function that was saved, and
 * that one's arguments are described.
 */
import protobuf from 'protobufjs';
import type { CompositeSpec, Signature, TensorSpec } from '../runtime/signature.js';
import { tensorShapeSchema } from '../runtime/tensor-proto.js';
import { compositeOf, raggedTensorSpec, sparseTensorSpec, structuredValueSchema } from './signature-def.js';

// saved_object_graph.proto and function.proto, less what is not needed here.
const { root } = protobuf.parse(`
  syntax = "proto3";
  package tensorflow;
  ${tensorShapeSchema}
  ${structuredValueSchema}
  message ObjectReference {
    int32 node_id = 1;
    string local_name = 2;
  }
  message SavedBareConcreteFunction { string concrete_function_name = 1; }
  message SavedObject {
    repeated ObjectReference children = 1;
    SavedBareConcreteFunction bare_concrete_function = 8;
  }
  message SavedConcreteFunction { StructuredValue canonicalized_input_signature = 3; }
  message NamedConcreteFunction {
    string key = 1;
    SavedConcreteFunction value = 2;
  }
  message SavedObjectGraph {
    repeated SavedObject nodes = 1;
    repeated NamedConcreteFunction concrete_functions = 2;
  }
  message NameAttrList { string name = 1; }
  message AttrValue { NameAttrList func = 10; }
  message NamedAttrValue {
    string key = 1;
    AttrValue value = 2;
  }
  message NodeDef {
    repeated string input = 3;
    repeated NamedAttrValue attr = 5;
  }
  message ArgDef { string name = 1; }
  message OpDef {
    string name = 1;
    repeated ArgDef input_arg = 2;
  }
  message FunctionDef {
    OpDef signature = 1;
    repeated NodeDef node_def = 3;
  }
`);
const SavedObjectGraph = root.lookupType('tensorflow.SavedObjectGraph');
const FunctionDef = root.lookupType('tensorflow.FunctionDef');
const OpDef = root.lookupType('tensorflow.OpDef');

interface StructuredValue {
  readonly tensorSpecValue?: object | null;
  readonly boundedTensorSpecValue?: object | null;
  readonly typeSpecValue?: TypeSpec | null;
  readonly tupleValue?: { readonly values: readonly StructuredValue[] } | null;
  readonly listValue?: { readonly values: readonly StructuredValue[] } | null;
  readonly namedTupleValue?: { readonly values: readonly { readonly value?: StructuredValue }[] } | null;
  readonly dictValue?: {
    readonly fields: readonly { readonly key: string; readonly value?: StructuredValue }[];
  } | null;
}

type TypeSpec = Parameters<typeof compositeOf>[1] & { readonly numFlatComponents: number };

interface ObjectGraph {
  readonly nodes: readonly {
    readonly children: readonly { readonly nodeId: number; readonly localName: string }[];
    readonly bareConcreteFunction?: { readonly concreteFunctionName: string } | null;
  }[];
  readonly concreteFunctions: readonly {
    readonly key: string;
    readonly value?: { readonly canonicalizedInputSignature?: StructuredValue | null };
  }[];
}

interface FunctionBody {
  readonly signature?: { readonly inputArg: readonly { readonly name: string }[] } | null;
  readonly nodeDef: readonly {
    readonly input: readonly string[];
    readonly attr: readonly { readonly value?: { readonly func?: { readonly name: string } | null } }[];
  }[];
}

/** Knows what the inputs of signatures were before `tf.saved_model.save` flattened them. */
export class FlattenedInputs {
  private readonly objects: ObjectGraph;
  private readonly arguments: ReadonlyMap<string, StructuredValue>;
  private readonly hasComposites: boolean;

  /**
   * @param objectGraph a serialized `tensorflow.SavedObjectGraph`; empty for models of the TF1 builder
   * @param graphDef a serialized `tensorflow.GraphDef`; only the functions that are needed become objects
   */
  constructor(
    objectGraph: Uint8Array,
    private readonly graphDef: Uint8Array,
  ) {
    this.objects = SavedObjectGraph.toObject(SavedObjectGraph.decode(objectGraph), {
      defaults: true,
      longs: Number,
    }) as ObjectGraph;
    this.arguments = new Map(
      this.objects.concreteFunctions.flatMap(({ key, value }) =>
        value?.canonicalizedInputSignature ? [[key, value.canonicalizedInputSignature] as const] : [],
      ),
    );
    this.hasComposites = [...this.arguments.values()].some((value) => flatten(value).some(isComposite));
  }

  /** The signature with those of its inputs that were one sparse or ragged tensor told as that. */
  restore<Found extends Signature | undefined>(signature: Found): Found {
    if (!signature || !this.hasComposites) return signature;
    const inputs = this.of(signature);
    if (inputs.size === 0) return signature;
    const { composites } = signature;
    const all = new Map([...(composites?.inputs ?? []), ...inputs]);
    return { ...signature, composites: { inputs: all, outputs: composites?.outputs ?? new Map() } };
  }

  private of({ name, inputs }: Pick<Signature, 'name' | 'inputs'>): ReadonlyMap<string, CompositeSpec> {
    const found = new Map<string, CompositeSpec>();
    const wrapper = this.wrapperOf(name);
    const body = wrapper === undefined ? undefined : findFunction(this.graphDef, wrapper);
    if (!body) return found;
    // A wrapper takes the inputs in the order of their names, and hands them on.
    const keys = [...inputs.keys()].sort();
    const args = (body.signature?.inputArg ?? []).map((each) => each.name);
    for (const { input, attr } of body.nodeDef) {
      const called = attr.flatMap(({ value }) => this.arguments.get(value?.func?.name ?? '') ?? [])[0];
      if (!called) continue;
      let position = 0;
      for (const leaf of flatten(called)) {
        const count = isComposite(leaf) ? leaf.numFlatComponents : 1;
        const components = input
          .slice(position, position + count)
          .flatMap((each) => inputs.get(keys[args.indexOf(each)] ?? '') ?? []);
        position += count;
        const spec =
          isComposite(leaf) && components.length === count ? toComposite(leaf, components) : undefined;
        if (spec) found.set(spec.name, spec);
      }
    }
    return found;
  }

  /** The function that a signature runs. */
  private wrapperOf(signature: string): string | undefined {
    const { nodes } = this.objects;
    const child = (node: number | undefined, name: string) =>
      nodes[node ?? -1]?.children.find(({ localName }) => localName === name)?.nodeId;
    const node = nodes[child(child(0, 'signatures'), signature) ?? -1];
    return node?.bareConcreteFunction?.concreteFunctionName;
  }
}

function toComposite(type: TypeSpec, components: readonly TensorSpec[]): CompositeSpec | undefined {
  const [first] = components;
  const spec = first && compositeOf(first.name, type, components);
  return spec?.kind === undefined ? undefined : spec;
}

/** The tensors of a structure, in the order in which TensorFlow flattens it. */
function flatten(value: StructuredValue | undefined): (TypeSpec | undefined)[] {
  if (!value) return [];
  if (value.tensorSpecValue || value.boundedTensorSpecValue) return [undefined];
  if (value.typeSpecValue) return [value.typeSpecValue];
  if (value.dictValue)
    return [...value.dictValue.fields]
      .sort((a, b) => (a.key < b.key ? -1 : 1))
      .flatMap((field) => flatten(field.value));
  if (value.namedTupleValue) return value.namedTupleValue.values.flatMap((pair) => flatten(pair.value));
  return [...(value.tupleValue?.values ?? []), ...(value.listValue?.values ?? [])].flatMap(flatten);
}

function isComposite(leaf: TypeSpec | undefined): leaf is TypeSpec {
  return leaf?.typeSpecClass === sparseTensorSpec || leaf?.typeSpecClass === raggedTensorSpec;
}

/** One function of a graph's library. */
function findFunction(graphDef: Uint8Array, name: string): FunctionBody | undefined {
  for (const library of fieldsOf(graphDef, 2)) {
    for (const definition of fieldsOf(library, 1)) {
      const [signature] = fieldsOf(definition, 1);
      if (!signature || Reflect.get(OpDef.decode(signature), 'name') !== name) continue;
      return FunctionDef.toObject(FunctionDef.decode(definition), { defaults: true }) as FunctionBody;
    }
  }
  return undefined;
}

/** The values of one field of a message, each a message, as views. */
function* fieldsOf(message: Uint8Array, number: number): Generator<Uint8Array> {
  const reader = protobuf.Reader.create(message);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag >>> 3 === number) yield reader.bytes();
    else reader.skipType(tag & 7);
  }
}
