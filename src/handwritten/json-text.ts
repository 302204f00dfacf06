/** Reads JSON that people write by hand: config files, and the bodies of control requests. */
import { invalidArgument, messageOf } from '../errors.js';

/**
 * The value of a JSON text.
 *
 * @throws ServingError INVALID_ARGUMENT with the place of single quotes, or with the message of the parser
 */
export function parseJsonText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalidArgument(singleQuotes(text) ?? messageOf(error));
  }
}

/** Finds a text in single quotes that is not within double quotes; undefined if there is none. */
function singleQuotes(text: string): string | undefined {
  const outside = text.replace(/"(?:[^"\\]|\\.)*"/gs, (inside) => '_'.repeat(inside.length));
  const at = outside.indexOf("'");
  if (at < 0) return undefined;
  const before = text.slice(0, at).split('\n');
  const column = (before.at(-1)?.length ?? 0) + 1;
  return `JSON has its texts in double quotes, and this one is in single ones: line ${before.length}, column ${column}`;
}
