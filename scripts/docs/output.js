/**
 * Decides whether a command printed what a document says. Both texts are compared as a reader would:
 *
 * - `…` stands for anything on its line, and alone on a line for any lines.
 * - A number with a decimal point may differ by a millionth and by 1/100,000 of itself, since the processors of two
 *   machines differ by as much.
 * - In JSON, blanks outside texts do not count. Elsewhere, blanks at the ends of lines do not.
 */

/**
 * @param {{ language: string, text: string }} expected
 * @param {string} printed
 */
export function isPrinted({ language, text }, printed) {
  const plain = language === 'json' ? withoutBlanks : trimLines;
  /** @type {number[]} */
  const numbers = [];
  const pattern = plain(text).replace(
    /^…$\n?|\n…$|…|(-?\d+\.\d*(?:e[+-]?\d+)?)|[\\^$.*+?()[\]{}|]/gm,
    (part, number) => {
      if (part === '…\n') return '(?:.*\n)*';
      if (part === '\n…') return '(?:\n.*)*';
      if (part === '…') return '[^\\n]*';
      if (number === undefined) return `\\${part}`;
      numbers.push(Number(number));
      return '(-?\\d+(?:\\.\\d*)?(?:e[+-]?\\d+)?)';
    },
  );
  const match = new RegExp(`^${pattern}$`).exec(plain(printed));
  return match !== null && numbers.every((number, i) => isClose(number, Number(match[i + 1])));
}

/**
 * @param {number} want
 * @param {number} got
 */
function isClose(want, got) {
  return Math.abs(got - want) <= 1e-6 + 1e-5 * Math.abs(want);
}

/** @param {string} json */
function withoutBlanks(json) {
  return json.replace(/("(?:\\.|[^"\\])*")|\s+/g, (_, literal) => literal ?? '');
}

/** @param {string} text */
function trimLines(text) {
  return text.replace(/[^\S\n]+$/gm, '').trimEnd();
}
