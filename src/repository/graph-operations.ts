/**
 * Counts the operations of a GraphDef, and tells which of them TensorFlow must know to import it. The graph may be large: no
 * objects are made of its nodes.
 */
import protobuf from 'protobufjs';
import type { Pause } from '../graph/pause.js';
import { eachBytesField, messageOf } from '../graph/wire.js';

/** The operations of one graph. Calls of its own functions by name are not among them. */
export interface GraphOperations {
  /** How many nodes there are of each, those in functions included. */
  readonly counts: ReadonlyMap<string, number>;
  /** The operations of the nodes outside functions. */
  readonly outside: ReadonlySet<string>;
  /**
   * The operations of the nodes outside functions, and of all functions that these nodes call, directly or not. TensorFlow
   * must know them to import the graph. It need not know an operation that only other functions use.
   */
  readonly used: ReadonlySet<string>;
}

/** The nodes of one function, or those outside functions. */
interface Body {
  readonly counts: Map<string, number>;
  /** Names of functions that nodes name in their attributes. */
  readonly calls: Set<string>;
}

/**
 * Gives the event loop back now and then.
 *
 * @param graphDef a serialized `tensorflow.GraphDef` (graph.proto, function.proto, node_def.proto, attr_value.proto)
 */
export async function readGraphOperations(graphDef: Uint8Array, pause: Pause): Promise<GraphOperations> {
  const main = emptyBody();
  const functions = new Map<string, Body>();
  const libraries: Uint8Array[] = [];
  const read = (field: number, value: Uint8Array) => {
    if (field === 1) readNode(protobuf.Reader.create(value), value.length, main);
    else if (field === 2) libraries.push(value);
  };
  await eachBytesField(messageOf(graphDef), read, pause);
  const definitions: Uint8Array[] = [];
  const define = (field: number, value: Uint8Array) => {
    if (field === 1) definitions.push(value);
  };
  for (const library of libraries) await eachBytesField(messageOf(library), define, pause);
  for (const definition of definitions) await readFunction(definition, functions, pause);
  const counts = new Map<string, number>();
  for (const body of [main, ...functions.values()]) {
    for (const [operation, count] of body.counts)
      if (!functions.has(operation)) counts.set(operation, (counts.get(operation) ?? 0) + count);
  }
  return { counts, outside: new Set(main.counts.keys()), used: operationsUsedBy(main, functions) };
}

function operationsUsedBy(main: Body, functions: ReadonlyMap<string, Body>): Set<string> {
  const used = new Set<string>();
  const seen = new Set<string>();
  const bodies = [main];
  for (let body = bodies.pop(); body; body = bodies.pop()) {
    // An operation may be a function's name: graphs of TensorFlow 1 call functions so.
    for (const name of [...body.counts.keys(), ...body.calls]) {
      const called = functions.get(name);
      if (!called && body.counts.has(name)) used.add(name);
      if (!called || seen.has(name)) continue;
      seen.add(name);
      bodies.push(called);
    }
  }
  return used;
}

function emptyBody(): Body {
  return { counts: new Map(), calls: new Set() };
}

async function readFunction(
  definition: Uint8Array,
  functions: Map<string, Body>,
  pause: Pause,
): Promise<void> {
  const body = emptyBody();
  let name = '';
  const read = (field: number, value: Uint8Array) => {
    const reader = protobuf.Reader.create(value);
    if (field === 1) name = readName(reader, reader.len);
    else if (field === 3) readNode(reader, reader.len, body);
  };
  await eachBytesField(messageOf(definition), read, pause);
  functions.set(name, body);
}

function readNode(reader: protobuf.Reader, end: number, { counts, calls }: Body): void {
  eachField(reader, end, (field, end) => {
    if (field === 2) {
      const operation = text(reader, end);
      counts.set(operation, (counts.get(operation) ?? 0) + 1);
    } else if (field === 5) {
      eachField(reader, end, (field, end) => {
        if (field === 2) readAttribute(reader, end, calls);
      });
    }
  });
}

/** An AttrValue: a function is in field 10, a list in field 1 and its functions in field 9 of that. */
function readAttribute(reader: protobuf.Reader, end: number, calls: Set<string>): void {
  eachField(reader, end, (field, end) => {
    if (field === 10) calls.add(readName(reader, end));
    else if (field === 1)
      eachField(reader, end, (field, end) => {
        if (field === 9) calls.add(readName(reader, end));
      });
  });
}

/** The name of an OpDef or a NameAttrList. */
function readName(reader: protobuf.Reader, end: number): string {
  let name = '';
  eachField(reader, end, (field, end) => {
    if (field === 1) name = text(reader, end);
  });
  return name;
}

/**
 * Goes over the strings, bytes and messages of a message; all other fields are skipped.
 *
 * @param end where the message ends
 * @param visit called at the begin of each; what it leaves unread is skipped
 */
function eachField(reader: protobuf.Reader, end: number, visit: (field: number, end: number) => void): void {
  while (reader.pos < end) {
    const tag = reader.uint32();
    if ((tag & 7) !== 2) {
      reader.skipType(tag & 7);
      continue;
    }
    const fieldEnd = reader.uint32() + reader.pos;
    visit(tag >>> 3, fieldEnd);
    reader.pos = fieldEnd;
  }
}

function text(reader: protobuf.Reader, end: number): string {
  return Buffer.from(reader.buf.buffer, reader.buf.byteOffset + reader.pos, end - reader.pos).toString();
}
