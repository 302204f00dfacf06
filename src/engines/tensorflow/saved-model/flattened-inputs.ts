/**
 * Finds the inputs of a signature that are the components of one sparse or ragged tensor.
 *
 * `tf.saved_model.save` writes a sparse or ragged argument `x` as the dense inputs `x`, `x_1`, `x_2`. The graph of
 * objects tells what the argument was: it names the wrapper of each signature, the wrapper calls the function that was
 * saved, and the arguments of that function are described. For `get_concrete_function()`, the wrapper calls a trace
 * that is not described. The description of a second trace of the same function holds for it.
 */
import { tensorflow } from '#proto/decoders.js';
import type { Turns } from '../../../flow/turns.js';
import type { CompositeSpec, Signature, TensorSpec } from '../../signature.js';
import {
  bytesFields,
  eachBytesField,
  integerField,
  lastBytesField,
  type Message,
  stringField,
} from '../graph/wire.js';
import { readerOf } from '../proto/message-reader.js';
import { findDefinitions } from './function-library.js';
import { Traces } from './function-traces.js';
import { checkCount } from './meta-graphs.js';
import { compositeOf, raggedTensorSpec, sparseTensorSpec } from './signature-def.js';

type StructuredValue = tensorflow.StructuredValue;

type TypeSpec = tensorflow.TypeSpecProto;

interface FunctionBody {
  /** The names of its arguments. */
  readonly parameters: readonly string[];
  readonly nodes: readonly tensorflow.NodeDef[];
}

/** The most that an object graph may hold. It is many times what models have. */
const most = {
  functions: 2 ** 17,
  argumentBytes: 2 ** 18,
  wrapperNodeBytes: 2 ** 20,
  children: 2 ** 16,
  referenceBytes: 2 ** 16,
};

/** Knows what the inputs of signatures were before `tf.saved_model.save` flattened them. */
export class FlattenedInputs {
  private constructor(
    private readonly graphDef: Message,
    /** The arguments of each saved function; null if none is sparse or ragged. */
    private readonly taken: ReadonlyMap<string, StructuredValue | null>,
    /** The function that each signature runs. */
    private readonly wrappers: ReadonlyMap<string, string>,
    /** The traces of the saved functions. */
    private readonly traces: Traces,
    private readonly turns: Turns,
  ) {}

  /**
   * Reads the graph of objects, with pauses for the event loop.
   *
   * @param objectGraph is a serialized `tensorflow.SavedObjectGraph`; empty for models of the TF1 builder
   * @param graphDef is a serialized `tensorflow.GraphDef`; only the functions that are needed become objects
   * @throws ServingError FAILED_PRECONDITION if it holds more than a server takes
   */
  static async read(objectGraph: Message, graphDef: Message, turns: Turns): Promise<FlattenedInputs> {
    const taken = await readArguments(objectGraph, turns);
    const hasComposites = [...taken.values()].some((value) => value !== null);
    const wrappers = hasComposites ? await readWrappers(objectGraph, turns) : new Map<string, string>();
    const traces = await Traces.read(wrappers.size > 0 ? taken.keys() : [], graphDef, turns);
    return new FlattenedInputs(graphDef, taken, wrappers, traces, turns);
  }

  /** The signature, with each group of inputs that was one sparse or ragged tensor as such a tensor. */
  async restore<Found extends Omit<Signature, 'operations'>>(signature: Found): Promise<Found> {
    if (this.wrappers.size === 0) return signature;
    const inputs = await this.of(signature);
    if (inputs.size === 0) return signature;
    const { composites } = signature;
    const all = new Map([...(composites?.inputs ?? []), ...inputs]);
    return { ...signature, composites: { inputs: all, outputs: composites?.outputs ?? new Map() } };
  }

  private async of({
    name,
    inputs,
  }: Pick<Signature, 'name' | 'inputs'>): Promise<ReadonlyMap<string, CompositeSpec>> {
    const found = new Map<string, CompositeSpec>();
    const wrapper = this.wrappers.get(name);
    const body = wrapper === undefined ? undefined : await findFunction(this.graphDef, wrapper, this.turns);
    if (!body) return found;
    // A wrapper takes the inputs in the order of their names, and passes them on.
    const keys = [...inputs.keys()].sort();
    const places = new Map(body.parameters.map((parameter, place) => [parameter, place]));
    const calls = body.nodes.flatMap(({ input, attr }) =>
      attr.flatMap(({ value }) => (value?.func ? { input, name: value.func.name } : [])),
    );
    for (const { input, name: callee } of calls) {
      // A wrapper calls one function. Comparing the functions of many calls could take long.
      const hasTwin = calls.length === 1 && !this.taken.has(callee);
      const called = hasTwin ? await this.takenByTwin(callee) : this.taken.get(callee);
      if (!called) continue;
      let position = 0;
      for (const leaf of flatten(called)) {
        const count = isComposite(leaf) ? leaf.numFlatComponents : 1;
        const components = input
          .slice(position, position + count)
          .flatMap((each) => inputs.get(keys[places.get(each) ?? -1] ?? '') ?? []);
        position += count;
        const spec =
          isComposite(leaf) && components.length === count ? toComposite(leaf, components) : undefined;
        if (spec) found.set(spec.name, spec);
      }
    }
    return found;
  }

  /** The arguments of a function, from the descriptions of its other traces, which must all agree. */
  private async takenByTwin(name: string): Promise<StructuredValue | null | undefined> {
    const found = new Map<string, StructuredValue | null>();
    for (const other of await this.traces.of(name)) {
      const value = this.taken.get(other) ?? null;
      found.set(JSON.stringify(value && flatten(value)), value);
    }
    return found.size === 1 ? found.values().next().value : undefined;
  }
}

/** Reads the arguments of each saved function (saved_object_graph.proto). */
async function readArguments(
  objectGraph: Message,
  turns: Turns,
): Promise<ReadonlyMap<string, StructuredValue | null>> {
  const functions: Message[] = [];
  const add = (field: number, value: Message) => {
    if (field !== 2) return;
    functions.push(value);
    checkCount(functions.length, most.functions, 'functions in its graph of objects');
  };
  await eachBytesField(objectGraph, add, turns);
  const found = new Map<string, StructuredValue | null>();
  for (const entry of functions) {
    const saved = await lastBytesField(entry, 2, turns);
    const taken = saved && (await lastBytesField(saved, 3, turns));
    if (!taken) continue;
    checkCount(taken.length, most.argumentBytes, 'bytes that describe the arguments of a function');
    const value = tensorflow.StructuredValue.decode(readerOf(taken));
    const key = (await lastBytesField(entry, 1, turns))?.toString() ?? '';
    found.set(key, flatten(value).some(isComposite) ? value : null);
  }
  return found;
}

/** Finds the function that each signature runs. The objects are a list, and name their children by place. */
async function readWrappers(objectGraph: Message, turns: Turns): Promise<ReadonlyMap<string, string>> {
  const [top] = await nodesAt(objectGraph, new Set([0]), turns);
  const holder = top && (await childrenOf(top[1], turns)).get('signatures');
  if (holder === undefined) return new Map();
  const [signatures] = await nodesAt(objectGraph, new Set([holder]), turns);
  const children = signatures ? await childrenOf(signatures[1], turns) : new Map<string, number>();
  const nodes = await nodesAt(objectGraph, new Set(children.values()), turns);
  const wrappers = new Map<string, string>();
  for (const [name, place] of children) {
    const node = nodes.get(place);
    const bare = node && (await lastBytesField(node, 8, turns));
    if (bare) wrappers.set(name, stringField(bare, 1));
  }
  return wrappers;
}

/** Reads some of the SavedObjects by their places. */
async function nodesAt(
  objectGraph: Message,
  places: ReadonlySet<number>,
  turns: Turns,
): Promise<ReadonlyMap<number, Message>> {
  const found = new Map<number, Message>();
  let place = 0;
  const take = (field: number, value: Message) => {
    if (field !== 1) return;
    if (places.has(place)) found.set(place, value);
    place += 1;
  };
  await eachBytesField(objectGraph, take, turns);
  return found;
}

/** The places of a SavedObject's children by name. The first of each name counts. */
async function childrenOf(node: Message, turns: Turns): Promise<Map<string, number>> {
  const children = new Map<string, number>();
  let count = 0;
  const add = (field: number, reference: Message) => {
    if (field !== 1) return;
    count += 1;
    checkCount(count, most.children, 'children of an object');
    checkCount(reference.length, most.referenceBytes, 'bytes in the name of a child of an object');
    const name = stringField(reference, 2);
    if (!children.has(name)) children.set(name, integerField(reference, 1));
  };
  await eachBytesField(node, add, turns);
  return children;
}

function toComposite(type: TypeSpec, components: readonly TensorSpec[]): CompositeSpec | undefined {
  const [first] = components;
  const spec = first && compositeOf(first.name, type, components);
  return spec?.kind === undefined ? undefined : spec;
}

/** The tensors of a structure, in the order in which TensorFlow flattens it. */
function flatten(value: StructuredValue | null | undefined): (TypeSpec | undefined)[] {
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
async function findFunction(
  graphDef: Message,
  name: string,
  turns: Turns,
): Promise<FunctionBody | undefined> {
  const definition = (await findDefinitions(graphDef, new Set([name]), turns)).get(name);
  if (!definition) return undefined;
  const nodes: tensorflow.NodeDef[] = [];
  let parameters: readonly string[] = [];
  const read = (field: number, value: Message) => {
    if (field === 1) parameters = bytesFields(value, 2).map((argument) => stringField(argument, 1));
    if (field !== 3) return;
    checkCount(value.length, most.wrapperNodeBytes, 'bytes in a node of a function that a signature runs');
    nodes.push(tensorflow.NodeDef.decode(readerOf(value)));
  };
  await eachBytesField(definition, read, turns);
  return { parameters, nodes };
}
