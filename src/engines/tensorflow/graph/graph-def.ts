/**
 * A GraphDef as nodes that can be looked up: those of the graph, and those of each function of its library.
 */
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

/** Where a value comes from: an output of a node, by its number or by the name that the operation has for it. */
export interface Source {
  readonly node: string;
  /** Of an operation's output argument; empty where outputs are only numbered. */
  readonly argument: string;
  /** Within the argument, or of all outputs. */
  readonly index: number;
}

/** A shape as an attribute has it: null for a dim that is not known, undefined for an unknown rank. */
export type GraphShape = readonly (number | null)[] | undefined;

const none: readonly string[] = [];

/** One operation of a graph. Its attributes are read when they are asked for. */
export class GraphNode {
  readonly inputs: readonly Source[];
  /** Nodes that must run before it. */
  readonly controls: readonly string[];
  private attributes: ReadonlyMap<string, Message> | undefined;
  /** Where its message is: to keep a view for each of a million nodes would keep the collector busy. */
  private readonly memory: ArrayBufferLike;
  private readonly start: number;
  private readonly length: number;

  constructor(
    readonly name: string,
    readonly op: string,
    inputs: readonly string[],
    { buffer, byteOffset, length }: Message,
  ) {
    this.inputs = inputs.flatMap((input) => (input.startsWith('^') ? [] : [sourceOf(input)]));
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

  /** The AttrValue of that name. */
  private attribute(name: string): Message | undefined {
    this.attributes ??= readAttributes(this.message);
    return this.attributes.get(name);
  }

  /** @returns a whole number, or `none` where there is no such attribute */
  integer(name: string, none = 0): number {
    const value = this.attribute(name);
    return value === undefined ? none : integerField(value, 3);
  }

  flag(name: string): boolean {
    const value = this.attribute(name);
    return value !== undefined && integerField(value, 5) !== 0;
  }

  /** The same where leaving it out means something else than false. */
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

  /** The number of a `tensorflow.DataType`; 0 where there is none. */
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

  /** How many values a list has, types or shapes. */
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

  /** The names of all functions that it may call. */
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

/** A list of nodes that need each other: the graph's own, or a function's. */
export class Nodes {
  constructor(readonly byName: Pick<NameMap<GraphNode>, 'get' | 'values'>) {}
}

/** A function of a graph's library. */
export interface GraphFunction {
  readonly name: string;
  /** The names of its arguments. */
  readonly parameters: readonly string[];
  /** What TensorFlow wrote of the shape of each. */
  readonly parameterShapes: readonly GraphShape[];
  /** XLA compiles it, or it cannot run. */
  readonly isCompiled: boolean;
  readonly nodes: Nodes;
  /** In the order of its outputs. */
  readonly results: readonly Source[];
  /** Nodes that must run although nothing takes their values. */
  readonly controls: readonly string[];
}

export class GraphDef {
  private readonly functions = new Map<string, GraphFunction>();

  private constructor(
    readonly nodes: Nodes,
    private readonly definitions: ReadonlyMap<string, Message>,
  ) {}

  /**
   * Reads the nodes; gives the event loop back now and then.
   *
   * @param bytes a serialized `tensorflow.GraphDef`, which must stay as it is
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

  /** True if there is a function of that name. */
  has(name: string): boolean {
    return this.definitions.has(name);
  }

  /** The function of that name, which is read when it is first asked for. */
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
    results: names(3).map((output) => sourceOf(results.get(output) ?? '')),
    controls: [...controls.values()],
  };
}

/** What a FunctionDef has, in one pass: it may have very many nodes. @param visit is given each */
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

/** The first of `_output_shapes` of a parameter. @param entry of `arg_attr` of a FunctionDef */
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

/** An attribute of a function: `_XlaMustCompile` is true. */
function isCompileMark(entry: Message): boolean {
  const value = stringField(entry, 1) === '_XlaMustCompile' ? bytesField(entry, 2) : undefined;
  return value !== undefined && integerField(value, 5) !== 0;
}

/** `a`, `a:1` as a graph names it, `a:output:1` as a function does. */
function sourceOf(input: string): Source {
  const [node = '', second, third] = input.split(':', 3);
  if (third !== undefined) return { node, argument: second ?? '', index: Number(third) };
  return { node, argument: '', index: Number(second ?? 0) };
}

/** A TensorShapeProto. */
export function shapeOf(message: Message): GraphShape {
  if (integerField(message, 3) !== 0) return undefined;
  return bytesFields(message, 2).map((dim) => {
    const size = integerField(dim, 1);
    return size < 0 ? null : size;
  });
}
