/**
 * Counts the operations of a GraphDef, and tells which of them TensorFlow must know to import it. The graph may be
 * large, so no objects are made of its nodes. This is the first look at a graph, so it also refuses nodes that are
 * larger than those of any model.
 */
import protobuf from 'protobufjs/minimal.js';
import type { Turns } from '../../../flow/turns.js';
import { eachBytesField, type Message, messageOf } from '../graph/wire.js';
import {
  checkArguments,
  checkAttributeBytes,
  checkAttributes,
  checkFields,
  checkFunctions,
  checkInputs,
  checkNameBytes,
  checkOperations,
  checkSignatureBytes,
} from './node-bounds.js';

/** The operations of one graph. Calls of its own functions by name are not among them. */
export interface GraphOperations {
  /** The number of nodes of each operation, including those in functions. */
  readonly counts: ReadonlyMap<string, number>;
  /** The operations of the nodes outside functions. */
  readonly outside: ReadonlySet<string>;
  /**
   * The operations of the nodes outside functions, and of all functions that these nodes call, directly or not.
   * TensorFlow must know them to import the graph. It need not know an operation that only other functions use.
   */
  readonly used: ReadonlySet<string>;
}

/** The nodes of one function, or those outside functions. */
interface Body {
  readonly counts: Map<string, number>;
  /** The names of functions in the attributes of the nodes. */
  readonly calls: Set<string>;
}

/**
 * Reads the operations, with pauses for the event loop.
 *
 * @param graphDef is a serialized `tensorflow.GraphDef` (graph.proto, function.proto, node_def.proto, attr_value.proto)
 * @throws ServingError FAILED_PRECONDITION if a node or a function is larger than a server takes (node-bounds.ts)
 */
export async function readGraphOperations(graphDef: Uint8Array, turns: Turns): Promise<GraphOperations> {
  const main = emptyBody();
  const functions = new Map<string, Body>();
  const libraries: Message[] = [];
  const read = (field: number, value: Message) => {
    if (field === 1) readNode(protobuf.Reader.create(value), value.length, main);
    else if (field === 2) libraries.push(value);
  };
  await eachBytesField(messageOf(graphDef), read, turns);
  const definitions: Message[] = [];
  const define = (field: number, value: Message) => {
    if (field !== 1) return;
    definitions.push(value);
    checkFunctions(definitions.length);
  };
  for (const library of libraries) await eachBytesField(library, define, turns);
  for (const definition of definitions) await readFunction(definition, functions, turns);
  return {
    counts: await countOperations([main, ...functions.values()], functions, turns),
    outside: new Set(main.counts.keys()),
    used: await operationsUsedBy(main, functions, turns),
  };
}

async function countOperations(
  bodies: readonly Body[],
  functions: ReadonlyMap<string, Body>,
  turns: Turns,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const body of bodies) {
    for (const [operation, count] of body.counts) {
      const pausing = turns.pause();
      if (pausing) await pausing;
      if (!functions.has(operation)) counts.set(operation, (counts.get(operation) ?? 0) + count);
    }
  }
  return counts;
}

async function operationsUsedBy(
  main: Body,
  functions: ReadonlyMap<string, Body>,
  turns: Turns,
): Promise<Set<string>> {
  const used = new Set<string>();
  const seen = new Set<string>();
  const bodies = [main];
  for (let body = bodies.pop(); body; body = bodies.pop()) {
    for (const name of namesIn(body)) {
      const pausing = turns.pause();
      if (pausing) await pausing;
      const called = functions.get(name);
      if (!called && body.counts.has(name)) used.add(name);
      if (!called || seen.has(name)) continue;
      seen.add(name);
      bodies.push(called);
    }
  }
  return used;
}

/** An operation may be the name of a function: that is how graphs of TensorFlow 1 call functions. */
function* namesIn({ counts, calls }: Body): Generator<string, void, void> {
  yield* counts.keys();
  yield* calls;
}

function emptyBody(): Body {
  return { counts: new Map(), calls: new Set() };
}

async function readFunction(definition: Message, functions: Map<string, Body>, turns: Turns): Promise<void> {
  const body = emptyBody();
  let name = '';
  const read = (field: number, value: Message) => {
    const reader = protobuf.Reader.create(value);
    if (field === 1) name = readSignature(reader);
    else if (field === 3) readNode(reader, reader.len, body);
    else if (field === 5) readAttributeEntry(reader, reader.len, new Set());
    else checkAttributeBytes(value.length);
  };
  await eachBytesField(definition, read, turns);
  functions.set(name, body);
}

/** Reads an OpDef. @returns its name */
function readSignature(reader: protobuf.Reader): string {
  checkSignatureBytes(reader.len);
  let name = '';
  let args = 0;
  eachField(reader, reader.len, (field, end) => {
    if (field === 1) name = text(reader, end);
    if (field === 2 || field === 3) args += 1;
  });
  checkArguments(args);
  return name;
}

function readNode(reader: protobuf.Reader, end: number, { counts, calls }: Body): void {
  let [inputs, inputBytes, attributes] = [0, 0, 0];
  eachField(reader, end, (field, end) => {
    if (field === 5) {
      attributes += 1;
      readAttributeEntry(reader, end, calls);
      return;
    }
    checkNameBytes(end - reader.pos);
    if (field === 3) {
      inputs += 1;
      inputBytes += end - reader.pos;
    }
    if (field !== 2) return;
    const operation = text(reader, end);
    counts.set(operation, (counts.get(operation) ?? 0) + 1);
    checkOperations(counts.size);
  });
  checkInputs(inputs, inputBytes);
  checkAttributes(attributes);
}

/** Reads a name and an AttrValue. */
function readAttributeEntry(reader: protobuf.Reader, end: number, calls: Set<string>): void {
  eachField(reader, end, (field, end) => {
    if (field === 2) readAttribute(reader, end, calls);
    else checkNameBytes(end - reader.pos);
  });
}

/**
 * Reads an AttrValue. A function is in field 10. A list is in field 1, and its functions are in field 9 of the list.
 */
function readAttribute(reader: protobuf.Reader, end: number, calls: Set<string>): void {
  eachField(reader, end, (field, end) => {
    // Field 2 holds bytes, and field 8 a tensor.
    if (field !== 2 && field !== 8) checkAttributeBytes(end - reader.pos);
    if (field === 10) calls.add(readName(reader, end));
    else if (field === 1)
      eachField(reader, end, (field, end) => {
        if (field === 9) calls.add(readName(reader, end));
      });
  });
}

/** The name in a NameAttrList. */
function readName(reader: protobuf.Reader, end: number): string {
  let name = '';
  eachField(reader, end, (field, end) => {
    if (field === 1) name = text(reader, end);
  });
  return name;
}

/**
 * Goes over the strings, bytes and messages of a message, and skips all other fields.
 *
 * @param end is where the message ends
 * @param visit is called at the beginning of each; what it leaves unread is skipped
 * @throws ServingError FAILED_PRECONDITION if the message has more fields than a server takes
 */
function eachField(reader: protobuf.Reader, end: number, visit: (field: number, end: number) => void): void {
  for (let count = 1; reader.pos < end; count++) {
    checkFields(count);
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
  checkNameBytes(end - reader.pos);
  return Buffer.from(reader.buf.buffer, reader.buf.byteOffset + reader.pos, end - reader.pos).toString();
}
