/** Finds the functions of a graph by name, without copying them. */
import type { Turns } from '../../../flow/turns.js';
import { eachBytesField, lastBytesField, type Message, stringField } from '../graph/wire.js';

/**
 * The functions of a graph's library by name. The first of each name counts.
 *
 * @param graphDef is a serialized `tensorflow.GraphDef`
 * @returns the serialized `tensorflow.FunctionDef`s of the names that exist
 */
export async function findDefinitions(
  graphDef: Message,
  names: ReadonlySet<string>,
  turns: Turns,
): Promise<ReadonlyMap<string, Message>> {
  const libraries: Message[] = [];
  const addLibrary = (field: number, value: Message) => {
    if (field === 2) libraries.push(value);
  };
  await eachBytesField(graphDef, addLibrary, turns);
  const definitions: Message[] = [];
  const addDefinition = (field: number, value: Message) => {
    if (field === 1) definitions.push(value);
  };
  for (const library of libraries) await eachBytesField(library, addDefinition, turns);
  const found = new Map<string, Message>();
  for (const each of definitions) {
    const signature = await lastBytesField(each, 1, turns);
    const name = signature ? stringField(signature, 1) : '';
    if (names.has(name) && !found.has(name)) found.set(name, each);
    if (found.size === names.size) break;
  }
  return found;
}
