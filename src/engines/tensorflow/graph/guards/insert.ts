/**
 * Inserts guards into a serialized GraphDef. Each one stands between a node and one of its inputs. All other bytes stay
 * as they are.
 */
import protobuf from 'protobufjs/minimal.js';
import type { Turns } from '../../../../flow/turns.js';
import { bytesFields, type Message, messageOf, stringField } from '../wire.js';
import type { Guard, Guards } from './find.js';
import { type Pieces, rewrite } from './rewrite.js';

/** The operation of native/guard.cc. */
export const guardOperation = 'TfjsServingGuard';

/** Gives the `tensorflow.DataType` of each input of a node. */
export type InputTypes = (guard: Guard) => readonly number[];

/** @param graphDef is a serialized `tensorflow.GraphDef` */
export function insertGuards(
  graphDef: Message,
  guards: Guards,
  typesOf: InputTypes,
  turns: Turns,
): Promise<Pieces> {
  const outside = guards.get(undefined);
  return rewrite(graphDef, turns, (field, value) => {
    if (field === 1) return outside && guarded(value, outside, typesOf, false, turns);
    if (field === 2) return insertIntoLibrary(value, guards, typesOf, turns);
    return undefined;
  });
}

async function insertIntoLibrary(
  library: Message,
  guards: Guards,
  typesOf: InputTypes,
  turns: Turns,
): Promise<Pieces[]> {
  const rewritten = await rewrite(library, turns, async (field, definition) => {
    const [signature] = field === 1 ? bytesFields(definition, 1) : [];
    const inside = signature && guards.get(stringField(signature, 1));
    if (!inside) return undefined;
    return [
      await rewrite(definition, turns, (inner, node) =>
        inner === 3 ? guarded(node, inside, typesOf, true, turns) : undefined,
      ),
    ];
  });
  return [rewritten];
}

/** The guard of a node, and the node changed to take an input from it. It is undefined if the node has no guard. */
async function guarded(
  message: Message,
  guards: { get(name: string): Guard | undefined },
  typesOf: InputTypes,
  isInFunction: boolean,
  turns: Turns,
): Promise<Pieces[] | undefined> {
  const guard = guards.get(stringField(message, 1));
  if (!guard) return undefined;
  const name = `${guard.node.name}/${guardOperation}`;
  const output = isInFunction ? `${name}:guarded:0` : name;
  let next = 0;
  const node = await rewrite(message, turns, (field, value) => {
    if (field !== 3 || value.toString('utf8', 0, 1) === '^') return undefined;
    return next++ === guard.position ? [piece(Buffer.from(output))] : undefined;
  });
  return [piece(encodeGuard(name, message, guard, typesOf(guard))), node];
}

function encodeGuard(
  name: string,
  guarded: Message,
  { position, needs, says }: Guard,
  types: readonly number[],
): Uint8Array {
  const inputs = bytesFields(guarded, 3).map((input) => input.toString('utf8'));
  const values = inputs.filter((input) => !input.startsWith('^'));
  const isOther = (_: unknown, i: number) => i !== position;
  const node = protobuf.Writer.create();
  node.uint32(tag(1)).string(name).uint32(tag(2)).string(guardOperation);
  for (const input of [values[position] ?? '', ...values.filter(isOther)]) node.uint32(tag(3)).string(input);
  for (const device of bytesFields(guarded, 4)) node.uint32(tag(4)).bytes(device);
  addAttribute(node, 'T', (value) => value.uint32(6 << 3).int32(types[position] ?? 0));
  addAttribute(node, 'Tothers', (value) => addList(value, types.filter(isOther), 6));
  addAttribute(node, 'position', (value) => value.uint32(3 << 3).int64(position));
  addAttribute(node, 'needs', (value) => addList(value, needs, 3));
  addAttribute(node, 'says', (value) => {
    value.uint32(tag(1)).fork();
    for (const text of says) value.uint32(tag(2)).string(text);
    value.ldelim();
  });
  return node.finish();
}

function piece(bytes: Uint8Array): Pieces {
  return { chunks: [messageOf(bytes)], length: bytes.length };
}

/** The tag of a field with a length. */
function tag(field: number): number {
  return (field << 3) | 2;
}

function addAttribute(writer: protobuf.Writer, key: string, write: (value: protobuf.Writer) => void): void {
  writer.uint32(tag(5)).fork().uint32(tag(1)).string(key).uint32(tag(2)).fork();
  write(writer);
  writer.ldelim().ldelim();
}

/** Writes whole numbers or types, packed. @param field of a ListValue */
function addList(writer: protobuf.Writer, numbers: readonly number[], field: number): void {
  writer.uint32(tag(1)).fork().uint32(tag(field)).fork();
  for (const each of numbers) writer.int64(each);
  writer.ldelim().ldelim();
}
