/**
 * Finds out whether two functions of a graph are traces of the same function.
 *
 * TensorFlow traces some functions once more while it saves them, and describes only the second trace. The two differ
 * in their numbers and in the names of their arguments.
 */
import { createHash } from 'node:crypto';
import type { Turns } from '../../../flow/turns.js';
import {
  bytesFields,
  eachBytesField,
  integerField,
  lastBytesField,
  type Message,
  stringField,
} from '../graph/wire.js';
import { findDefinitions } from './function-library.js';

/** Functions that are described, and which of them are traces of a function that is not. */
export class Traces {
  /** The outlines of functions that have been compared. */
  private readonly outlines = new Map<string, string>();

  private constructor(
    private readonly byPythonName: ReadonlyMap<string, readonly string[]>,
    private readonly graphDef: Message,
    private readonly turns: Turns,
  ) {}

  /**
   * @param names of the functions that are described
   * @param graphDef is a serialized `tensorflow.GraphDef`
   */
  static async read(names: Iterable<string>, graphDef: Message, turns: Turns): Promise<Traces> {
    const found = new Map<string, string[]>();
    for (const name of names) {
      const pausing = turns.pause();
      if (pausing) await pausing;
      const key = pythonNameOf(name);
      if (key === undefined) continue;
      const before = found.get(key);
      if (before) before.push(name);
      else found.set(key, [name]);
    }
    return new Traces(found, graphDef, turns);
  }

  /** The described functions that have the same Python name as this one, and do the same. */
  async of(name: string): Promise<readonly string[]> {
    const names = this.byPythonName.get(pythonNameOf(name) ?? '');
    if (!names) return [];
    const definitions = await findDefinitions(this.graphDef, new Set([name, ...names]), this.turns);
    const outlines = new Map<string, string>();
    for (const [each, definition] of definitions) outlines.set(each, await this.outline(each, definition));
    const outline = outlines.get(name);
    return outline === undefined ? [] : names.filter((other) => outlines.get(other) === outline);
  }

  private async outline(name: string, definition: Message): Promise<string> {
    const known = this.outlines.get(name);
    if (known !== undefined) return known;
    const outline = await outlineOf(definition, this.turns);
    this.outlines.set(name, outline);
    return outline;
  }
}

/** The Python name of a function, from the name that TensorFlow made of it; undefined for other names. */
function pythonNameOf(name: string): string | undefined {
  return /^__inference_(.*)_\d+$/s.exec(name)?.[1];
}

/**
 * A hash that the traces of one function share. It covers the types of the arguments, and the operations with their
 * names and inputs. An argument counts by its place. Attributes are left out, because they hold constants and the names
 * of functions.
 *
 * @param definition is a serialized `tensorflow.FunctionDef`
 */
async function outlineOf(definition: Message, turns: Turns): Promise<string> {
  const hash = createHash('sha256');
  const add = (texts: readonly string[]) => hash.update(`${JSON.stringify(texts)}\n`);
  const signature = await lastBytesField(definition, 1, turns);
  const places = new Map<string, number>();
  const addArgument = (field: number, argument: Message) => {
    if (field !== 2) return;
    places.set(stringField(argument, 1), places.size);
    add([String(integerField(argument, 3))]);
  };
  if (signature) await eachBytesField(signature, addArgument, turns);
  const addNode = (field: number, node: Message) => {
    if (field !== 3) return;
    const inputs = bytesFields(node, 3).map((input) => {
      const name = input.toString();
      return String(places.get(name) ?? `:${name}`);
    });
    add([stringField(node, 1), stringField(node, 2), ...inputs]);
  };
  await eachBytesField(definition, addNode, turns);
  return hash.digest('base64');
}
