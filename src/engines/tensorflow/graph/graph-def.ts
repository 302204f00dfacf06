/** A GraphDef whose nodes can be looked up: those of the graph, and those of each function of its library. */
import type { Turns } from '../../../flow/turns.js';
import { NameMap } from './name-map.js';
import {
  bytesField,
  bytesFields,
  eachBytesField,
  integerField,
  integerFields,
  type Message,
  messageOf,
  readFields,
  stringField,
} from './wire.js';

/**
 * Where a value comes from: an output of a node. It is given by a number, or by the name that the operation has for it.
 */
export interface TensorRef {
  readonly node: string;
  /** The name of an output argument of the operation; empty if outputs are only numbered. */
  readonly argument: string;
  /** The number within that argument, or among all outputs. */
  readonly index: number;
}

/** A shape as an attribute has it: null for an unknown dim, undefined for an unknown rank. */
export type GraphShape = readonly (number | null)[] | undefined;

const none: readonly string[] = [];

/** One operation of a graph. An attribute is read when it is first asked for. */
export class GraphNode {
  readonly inputs: readonly TensorRef[];
  /** The nodes that must run before it. */
  readonly controls: readonly string[];
  private attributes: ReadonlyMap<string, Message> | undefined;
  /** Where its message is. A view for each of a million nodes would keep the garbage collector busy. */
  private readonly memory: ArrayBufferLike;
  private readonly start: number;
  private readonly length: number;

  constructor(
    readonly name: string,
    readonly op: string,
    inputs: readonly string[],
    { buffer, byteOffset, length }: Message,
  ) {
    this.inputs = inputs.flatMap((input) => (input.startsWith('^') ? [] : [tensorRefOf(input)]));
    this.controls = inputs.some((input) => input.startsWith('^'))
      ? inputs.flatMap((input) => (input.startsWith('^') ? [input.slice(1)] : []))
      : none;
    this.memory = buffer;
    this.start = byteOffset;
    this.length = length;
  }

  private get message(): Message {
    return messageOf(new Uint8Array(this.memory, this.start, this.length));
  }

  /** The AttrValue with this name. */
  private attribute(name: string): Message | undefined {
    this.attributes ??= readAttributes(this.message);
    return this.attributes.get(name);
  }

  /** @returns a whole number, or `none` if there is no such attribute */
  integer(name: string, none = 0): number {
    const value = this.attribute(name);
    return value === undefined ? none : integerField(value, 3);
  }

  flag(name: string): boolean {
    const value = this.attribute(name);
    return value !== undefined && integerField(value, 5) !== 0;
  }

  /** Reads a flag whose absence does not mean false. */
  flagOr(name: string, none: boolean): boolean {
    const value = this.attribute(name);
    return value === undefined ? none : integerField(value, 5) !== 0;
  }

  /** Bytes, as a view. */
  bytes(name: string): Message {
    const value = this.attribute(name);
    return (value && bytesField(value, 2)) ?? messageOf(new Uint8Array());
  }

  text(name: string): string {
    const value = this.attribute(name);
    return value === undefined ? '' : stringField(value, 2);
  }

  /** The number of a `tensorflow.DataType`; 0 if there is none. */
  type(name: string): number {
    const value = this.attribute(name);
    return value === undefined ? 0 : integerField(value, 6);
  }

  integers(name: string): number[] {
    const list = this.list(name);
    return list ? integerFields(list, 3) : [];
  }

  types(name: string): number[] {
    const list = this.list(name);
    return list ? integerFields(list, 6) : [];
  }

  texts(name: string): string[] {
    const list = this.list(name);
    return list ? bytesFields(list, 2).map((text) => text.toString('utf8')) : [];
  }

  /** The number of values in a list of types or shapes. */
  count(name: string, kind: 'types' | 'shapes'): number {
    return this[kind](name).length;
  }

  shapes(name: string): GraphShape[] {
    const list = this.list(name);
    return list ? bytesFields(list, 7).map(shapeOf) : [];
  }

  shape(name: string): GraphShape {
    const value = this.attribute(name);
    const shape = value && bytesField(value, 7);
    return shape && shapeOf(shape);
  }

  /** A TensorProto. */
  tensor(name: string): Message | undefined {
    const value = this.attribute(name);
    return value && bytesField(value, 8);
  }

  /** The name of a function. */
  function(name: string): string {
    const value = this.attribute(name);
    const named = value && bytesField(value, 10);
    return named ? stringField(named, 1) : '';
  }

  functions(name: string): string[] {
    const list = this.list(name);
    return list ? bytesFields(list, 9).map((named) => stringField(named, 1)) : [];
  }

  /** The names of all functions that the node may call. */
  get calledFunctions(): string[] {
    this.attributes ??= readAttributes(this.message);
    return [...this.attributes.values()].flatMap((value) => {
      const list = bytesField(value, 1);
      const named = [...bytesFields(value, 10), ...(list ? bytesFields(list, 9) : [])];
      return named.map((each) => stringField(each, 1));
    });
  }

  private list(name: string): Message | undefined {
    const value = this.attribute(name);
    return value && bytesField(value, 1);
  }
}

/** The AttrValues of a NodeDef by name. */
function readAttributes(node: Message): Map<string, Message> {
  const attributes = new Map<string, Message>();
  for (const entry of bytesFields(node, 5)) {
    const value = bytesField(entry, 2);
    if (value) attributes.set(stringField(entry, 1), value);
  }
  return attributes;
}

/** Nodes that depend on each other: those of the graph, or of a function. */
export class Nodes {
  constructor(readonly byName: Pick<NameMap<GraphNode>, 'get' | 'values'>) {}
}

/** A function of a graph's library. */
export interface GraphFunction {
  readonly name: string;
  /** The names of its arguments. */
  readonly parameters: readonly string[];
  /** The shape that TensorFlow wrote for each argument. */
  readonly parameterShapes: readonly GraphShape[];
  /** True if XLA must compile the function. */
  readonly isCompiled: boolean;
  readonly nodes: Nodes;
  /** The outputs, in order. */
  readonly results: readonly TensorRef[];
  /** The nodes that must run although nothing takes their values. */
  readonly controls: readonly string[];
}

export class GraphDef {
  private readonly functions = new Map<string, GraphFunction>();

  private constructor(
    readonly nodes: Nodes,
    private readonly definitions: ReadonlyMap<string, Message>,
  ) {}

  /**
   * Reads the nodes, with pauses for the event loop.
   *
   * @param bytes is a serialized `tensorflow.GraphDef`, which must not change
   */
  static async read(bytes: Uint8Array, turns: Turns): Promise<GraphDef> {
    const nodes = new NameMap<GraphNode>();
    const libraries: Message[] = [];
    const read = (field: number, value: Message) => {
      if (field === 1) addNode(nodes, value);
      else if (field === 2) libraries.push(value);
    };
    await eachBytesField(messageOf(bytes), read, turns);
    const functions: Message[] = [];
    const collect = (field: number, definition: Message) => {
      if (field === 1) functions.push(definition);
    };
    for (const library of libraries) await eachBytesField(library, collect, turns);
    const definitions = new Map<string, Message>();
    for (const definition of functions) {
      const { signature } = await readParts(definition, turns);
      if (signature) definitions.set(stringField(signature, 1), definition);
    }
    return new GraphDef(new Nodes(nodes), definitions);
  }

  /** True if there is a function with this name. */
  has(name: string): boolean {
    return this.definitions.has(name);
  }

  /** The function with this name. It is read when it is first asked for. */
  async function(name: string, turns: Turns): Promise<GraphFunction | undefined> {
    const known = this.functions.get(name);
    const definition = this.definitions.get(name);
    if (known || !definition) return known;
    const read = await readFunction(name, definition, turns);
    this.functions.set(name, read);
    return read;
  }
}

function addNode(nodes: NameMap<GraphNode>, message: Message): void {
  const node = readNode(message);
  nodes.set(node.name, node);
}

function readNode(message: Message): GraphNode {
  let name = '';
  let op = '';
  const inputs: string[] = [];
  readFields(message, (field, wireType, reader) => {
    if (field === 1) name = reader.string();
    else if (field === 2) op = reader.string();
    else if (field === 3) inputs.push(reader.string());
    else reader.skipType(wireType);
  });
  return new GraphNode(name, op, inputs, message);
}

async function readFunction(name: string, definition: Message, turns: Turns): Promise<GraphFunction> {
  const nodes = new NameMap<GraphNode>();
  const parts = await readParts(definition, turns, (node) => addNode(nodes, node));
  const signature = parts.signature ?? messageOf(new Uint8Array());
  const names = (field: number) => bytesFields(signature, field).map((argument) => stringField(argument, 1));
  const { results, controls, isCompiled, parameterShapes } = parts;
  return {
    name,
    parameters: names(2),
    parameterShapes,
    isCompiled,
    nodes: new Nodes(nodes),
    results: names(3).map((output) => tensorRefOf(results.get(output) ?? '')),
    controls: [...controls.values()],
  };
}

/**
 * Reads all parts of a FunctionDef in one pass, because it may have very many nodes.
 * @param visit is called with each node
 */
async function readParts(definition: Message, turns: Turns, visit: (node: Message) => void = () => {}) {
  let signature: Message | undefined;
  let isCompiled = false;
  const results = new Map<string, string>();
  const controls = new Map<string, string>();
  const parameterShapes: GraphShape[] = [];
  const read = (field: number, value: Message) => {
    if (field === 1) signature = value;
    else if (field === 3) visit(value);
    else if (field === 4) results.set(stringField(value, 1), stringField(value, 2));
    else if (field === 5) isCompiled ||= isCompileMark(value);
    else if (field === 7) addParameterShape(parameterShapes, value);
    else if (field === 6) controls.set(stringField(value, 1), stringField(value, 2));
  };
  await eachBytesField(definition, read, turns);
  return { signature: signature as Message | undefined, results, controls, isCompiled, parameterShapes };
}

/** Adds the first of the `_output_shapes` of a parameter. @param entry of `arg_attr` of a FunctionDef */
function addParameterShape(shapes: GraphShape[], entry: Message): void {
  const attributes = bytesField(entry, 2);
  for (const attribute of attributes ? bytesFields(attributes, 1) : []) {
    if (stringField(attribute, 1) !== '_output_shapes') continue;
    const value = bytesField(attribute, 2);
    const list = value && bytesField(value, 1);
    const [shape] = list ? bytesFields(list, 7) : [];
    if (shape) shapes[integerField(entry, 1)] = shapeOf(shape);
  }
}

/** True for the attribute `_XlaMustCompile` with the value true. */
function isCompileMark(entry: Message): boolean {
  const value = stringField(entry, 1) === '_XlaMustCompile' ? bytesField(entry, 2) : undefined;
  return value !== undefined && integerField(value, 5) !== 0;
}

/** Reads the name of an input: `a` or `a:1` in a graph, `a:output:1` in a function. */
function tensorRefOf(input: string): TensorRef {
  const [node = '', second, third] = input.split(':', 3);
  if (third !== undefined) return { node, argument: second ?? '', index: Number(third) };
  return { node, argument: '', index: Number(second ?? 0) };
}

/** Reads a TensorShapeProto. */
export function shapeOf(message: Message): GraphShape {
  if (integerField(message, 3) !== 0) return undefined;
  return bytesFields(message, 2).map((dim) => {
    const size = integerField(dim, 1);
    return size < 0 ? null : size;
  });
}
