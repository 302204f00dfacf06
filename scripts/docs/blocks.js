/**
 * What a reader of a document would do with its code blocks, in their order. Markers, which are HTML comments on lines
 * of their own and therefore not seen by readers, say what the text alone does not:
 *
 *     <!-- not run: REASON -->    right above a block: nothing is done with it
 *     <!-- file: PATH -->         right above a block: it is that file's content; a program is then run
 *     <!-- first: COMMANDS -->    right above a block: what must be there before it
 *     <!-- with: A = B, C = D --> right above a block: what a reader would put in the place of A and C
 *     <!-- until: COMMANDS -->    anywhere: what has come true by now, or does soon; tried until it succeeds
 *
 * Blocks of sh and python are run; js and ts, too, and need a file, as node does. A block of json or text right below
 * one that is run is its output. Whatever is neither run, nor an output, nor a file, needs a reason. Twins in another
 * language have no markers: their blocks are those of the original (twins.js).
 */
import MarkdownIt from 'markdown-it';

/**
 * @typedef {{ readonly line: number, readonly language: string, readonly text: string }} Block
 *
 * @typedef {Block & {
 *   kind: 'run', file: string | null, first: string | null, with: readonly (readonly [string, string])[], output: Block | null
 * }} Run
 * @typedef {Block & { kind: 'write', file: string, with: readonly (readonly [string, string])[] }} Write
 * @typedef {{ kind: 'until', line: number, text: string }} Until
 * @typedef {Run | Write | Until} Step
 *
 * @typedef {{ line: number, message: string }} Problem
 */

const RUN = new Set(['sh', 'python', 'js', 'ts']);
const NEEDS_FILE = new Set(['js', 'ts']);
const OUTPUT = new Set(['json', 'text']);
const MARKERS = new Set(['not run', 'file', 'first', 'with', 'until']);

/** A command that runs until somebody ends it, like the server. */
const STARTS_SERVER = /^(make serve|npx tfjs-serving serve)\b/;

const markdown = new MarkdownIt('default', { html: true });

/**
 * @param {string} text of a document
 * @returns {{ steps: Step[], problems: Problem[] }}
 */
export function readDocument(text) {
  /** @type {Step[]} */
  const steps = [];
  /** @type {Problem[]} */
  const problems = [];
  /** @type {Marker[]} */
  let above = [];
  /** @type {{ run: Run, end: number } | null} the run right above, whose output may follow */
  let before = null;

  const report = (/** @type {number} */ line, /** @type {string} */ message) =>
    problems.push({ line: line + 1, message });
  const lines = text.split('\n');

  for (const part of partsOf(text)) {
    const last = above.at(-1);
    if (last !== undefined && last.end !== part.start) {
      reportStray(above, report);
      above = [];
    }
    if (part.kind === 'comment') {
      const marker = readMarker(part, report);
      if (marker === null) continue;
      if (marker.name === 'until') steps.push({ kind: 'until', line: marker.start + 1, text: marker.value });
      else above.push(marker);
      continue;
    }
    const markers = above;
    above = [];
    const follows =
      before !== null && lines.slice(before.end, part.start).every((line) => line.trim() === '');
    const result = stepOf(part, markers, follows ? (before?.run ?? null) : null, report);
    before = null;
    if (result === null) continue;
    steps.push(result);
    if (result.kind === 'run') before = { run: result, end: part.end };
  }
  reportStray(above, report);
  return { steps, problems };
}

/** @param {string} text of a block */
export function startsServer(text) {
  return STARTS_SERVER.test(text.trim());
}

/**
 * @typedef {{ kind: 'comment', start: number, end: number, text: string }} Comment
 * @typedef {{ kind: 'block', start: number, end: number, language: string, text: string }} Fence
 * @typedef {{ name: string, value: string, start: number, end: number }} Marker
 * @typedef {(line: number, message: string) => void} Report
 */

/**
 * The blocks and comments in order, including those in lists and quotes. Lines are counted from 0.
 *
 * @param {string} text
 * @returns {(Comment | Fence)[]}
 */
function partsOf(text) {
  /** @type {(Comment | Fence)[]} */
  const parts = [];
  for (const { type, map, info, content, children } of markdown.parse(text, {})) {
    const [start, end] = map ?? [0, 0];
    if (type === 'fence' || type === 'code_block')
      parts.push({ kind: 'block', start, end, language: info.trim(), text: content });
    else if (type === 'html_block' && content.trimStart().startsWith('<!--'))
      parts.push({ kind: 'comment', start, end, text: content });
    for (const child of children ?? [])
      if (child.type === 'html_inline' && child.content.startsWith('<!--'))
        parts.push({ kind: 'comment', start, end, text: `within a line: ${child.content}` });
  }
  return parts;
}

/**
 * @param {Comment} comment
 * @param {Report} report
 * @returns {Marker | null}
 */
function readMarker({ start, end, text }, report) {
  const [, name = '', value = ''] = /^\s*<!--\s*([\w ]+?)(?::\s*([\s\S]*?))?\s*-->\s*$/.exec(text) ?? [];
  if (!MARKERS.has(name))
    report(
      start,
      `a comment that is no marker of its own line (${[...MARKERS].join(', ')}): ${text.trim().slice(0, 60)}`,
    );
  else if (value === '') report(start, `the marker "${name}" says nothing`);
  else return { name, value, start, end };
  return null;
}

/**
 * @param {readonly Marker[]} markers
 * @param {Report} report
 */
function reportStray(markers, report) {
  for (const { name, start } of markers) report(start, `the marker "${name}" has no block right below it`);
}

/**
 * @param {Fence} fence
 * @param {readonly Marker[]} markers right above it
 * @param {Run | null} before what is run right above it
 * @param {Report} report
 * @returns {Run | Write | null}
 */
function stepOf({ start, language, text }, markers, before, report) {
  const marked = new Map(markers.map(({ name, value }) => [name, value]));
  if (marked.has('not run')) {
    if (marked.size > 1) report(start, 'this block is not run, and marked as if it were');
    return null;
  }
  const block = { line: start + 1, language, text };
  const file = marked.get('file') ?? null;
  const substitutions = substitutionsOf(marked.get('with') ?? '', text, (message) => report(start, message));
  if (RUN.has(language)) {
    if (file === null && NEEDS_FILE.has(language)) {
      report(start, `a block of ${language} needs a marker: <!-- file: NAME --> or <!-- not run: REASON -->`);
      return null;
    }
    if (language === 'sh' && text.trim().split('\n').slice(1).some(startsServer))
      report(start, 'what starts a server goes on running, and needs a block of its own');
    const first = marked.get('first') ?? null;
    return { kind: 'run', ...block, file, first, with: substitutions, output: null };
  }
  if (marked.has('first')) report(start, 'this block is not run, so nothing comes first');
  if (file !== null) return { kind: 'write', ...block, file, with: substitutions };
  if (OUTPUT.has(language) && before !== null && before.output === null) before.output = block;
  else if (language === '') report(start, 'a block that names no language');
  else
    report(
      start,
      `a block of ${language} that is neither run nor the output of one right above: mark it, <!-- not run: REASON --> or <!-- file: NAME -->`,
    );
  return null;
}

/**
 * @param {string} value of a marker "with"
 * @param {string} text in which it must be of use
 * @param {(message: string) => void} report
 * @returns {(readonly [string, string])[]}
 */
function substitutionsOf(value, text, report) {
  if (value === '') return [];
  return value.split(',').map((each) => {
    const [, from = '', to = ''] = /^\s*(\S.*?)\s+=\s+(\S.*?)\s*$/.exec(each) ?? [];
    if (from === '' || to === '') report(`"with" takes A = B, and not ${each.trim()}`);
    else if (!text.includes(from)) report(`there is no ${from} in this block for "with" to replace`);
    return [from, to];
  });
}
