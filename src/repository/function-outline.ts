/**
 * Whether two functions of a graph are the same function, traced twice.
 *
 * TensorFlow traces some functions once more while it saves them, and describes only the second trace. The two differ in
 * their numbers and in the names of their arguments.
 */
import { createHash } from 'node:crypto';
import type { Pause } from '../graph/pause.js';
import {
  bytesFields,
  eachBytesField,
  integerField,
  lastBytesField,
  type Message,
  stringField,
} from '../graph/wire.js';

/** The name that a function has in Python, out of the one that TensorFlow made of it; undefined for others. */
export function pythonNameOf(name: string): string | undefined {
  return /^__inference_(.*)_\d+$/s.exec(name)?.[1];
}

/**
 * A hash that two traces of one function share: of the types of its arguments, and of its operations, their names and their
 * inputs. Arguments count by their places. What is left out are attributes: they hold constants, and the names of functions.
 *
 * @param definition a serialized `tensorflow.FunctionDef`
 */
export async function outlineOf(definition: Message, pause: Pause): Promise<string> {
  const hash = createHash('sha256');
  const add = (texts: readonly string[]) => hash.update(`${JSON.stringify(texts)}\n`);
  const signature = await lastBytesField(definition, 1, pause);
  const places = new Map<string, number>();
  const addArgument = (field: number, argument: Message) => {
    if (field !== 2) return;
    places.set(stringField(argument, 1), places.size);
    add([String(integerField(argument, 3))]);
  };
  if (signature) await eachBytesField(signature, addArgument, pause);
  const addNode = (field: number, node: Message) => {
    if (field !== 3) return;
    const inputs = bytesFields(node, 3).map((input) => {
      const name = input.toString();
      return String(places.get(name) ?? `:${name}`);
    });
    add([stringField(node, 1), stringField(node, 2), ...inputs]);
  };
  await eachBytesField(definition, addNode, pause);
  return hash.digest('base64');
}
