/**
 * The list of operations that have a rule, as docs/architecture.md has it.
 */

const HEADING = '### Which operations have a rule';
const WIDTH = 130;

/**
 * @param {string} document
 * @param {Iterable<string>} operations
 * @returns {string} the document with these operations in its list
 */
export function withRules(document, operations) {
  const section = document.indexOf(HEADING);
  const start = document.indexOf('```text\n', section) + '```text\n'.length;
  const end = document.indexOf('```', start);
  if (section < 0 || end < 0) throw new Error(`no list under "${HEADING}"`);
  return document.slice(0, start) + wrapped([...operations].sort()) + document.slice(end);
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
