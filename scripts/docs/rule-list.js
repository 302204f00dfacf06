/** Writes the lists of operations with a rule in docs/tensorflow-operations.md. */

/** What stands above the lists: TensorFlow's operations, and those of StableHLO. */
const HEADINGS = /** @type {const} */ (['## TensorFlow', '## StableHLO']);
const WIDTH = 130;

/**
 * @param {string} document
 * @param {Iterable<string>} operations TensorFlow's
 * @param {Iterable<string>} instructions StableHLO's
 * @returns {string} the document with these in its lists
 */
export function withRules(document, operations, instructions) {
  const [first, second] = HEADINGS;
  return withList(withList(document, first, operations), second, instructions);
}

/**
 * @param {string} document
 * @param {string} heading
 * @param {Iterable<string>} names
 */
function withList(document, heading, names) {
  const section = document.indexOf(`${heading}\n`);
  const start = document.indexOf('```text\n', section) + '```text\n'.length;
  const end = document.indexOf('```', start);
  if (section < 0 || end < 0) throw new Error(`no list under "${heading}"`);
  return document.slice(0, start) + wrapped([...names].sort()) + document.slice(end);
}

/** @param {readonly string[]} words */
function wrapped(words) {
  let text = '';
  let line = '';
  for (const word of words) {
    if (line.length + word.length >= WIDTH) {
      text += `${line}\n`;
      line = '';
    }
    line += line === '' ? word : ` ${word}`;
  }
  return `${text}${line}\n`;
}
