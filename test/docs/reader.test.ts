/** A fault in a document is found, with file and line. */
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { readDocument } from '../../scripts/docs/blocks.js';
import { isPrinted } from '../../scripts/docs/output.js';
import { Reader, type ReaderOptions } from './reader.ts';

let reader: Reader | undefined;

afterEach(async () => {
  await reader?.end();
  reader = undefined;
});

/** Follows a document to its end, or to the first thing that is wrong, and gives its message. */
async function follow(lines: readonly string[], options: ReaderOptions = {}): Promise<string> {
  const { steps, problems } = readDocument(lines.join('\n'));
  expect(problems).toEqual([]);
  reader = await Reader.begin('guide.md', steps, options);
  try {
    for (const step of steps) await reader.follow(step);
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}

function problemsOf(...lines: string[]): string[] {
  return readDocument(lines.join('\n')).problems.map(({ line, message }) => `${line}: ${message}`);
}

describe('a block that cannot be followed', () => {
  it.each([
    [
      'of a language that nobody runs',
      ['```rust', 'fn main() {}', '```'],
      /^1: a block of rust that is neither/,
    ],
    ['without a language', ['', '```', 'ls', '```'], /^2: a block that names no language$/],
    ['that is only indented', ['Run', '', '    ls'], /^3: a block that names no language$/],
    ['without a file', ['```js', '1', '```'], /^1: a block of js needs a marker: <!-- file: NAME -->/],
    ['of text without a command', ['```text', '1', '```'], /^1: a block of text that is neither/],
    ['of text not right below its command', ['```sh', 'ls', '```', 'or', '```text', '1', '```'], /^5: /],
    ['that is a second output', ['```sh', 'ls', '```', '```text', '```', '```text', '```'], /^6: /],
    ['in a list', ['- a', '', '  1. b', '', '     ```', '     ls', '     ```'], /^5: a block that names no/],
    ['behind a longer fence', ['````sh', '```', '````', '```', 'ls', '```'], /^4: a block that names no/],
    ['that starts a server among others', ['```sh', 'ls', 'make serve', '```'], /^1: what starts a server/],
  ])('%s', (_, lines, message) => {
    expect(problemsOf(...lines)).toEqual([expect.stringMatching(message)]);
  });
});

describe('a marker that means nothing', () => {
  it.each([
    [
      'without a block',
      ['<!-- not run: no -->', 'text'],
      /^1: the marker "not run" has no block right below/,
    ],
    ['with a line between', ['<!-- file: a -->', '', '```js', '```'], /^1: the marker "file" has no block/],
    ['at the end', ['text', '', '<!-- first: ls -->'], /^3: the marker "first" has no block/],
    ['without a reason', ['<!-- not run: -->', '```sh', '```'], /^1: the marker "not run" says nothing/],
    ['without a colon', ['<!-- not run -->', '```sh', '```'], /^1: the marker "not run" says nothing/],
    ['that nobody knows', ['<!-- skip: slow -->', '```sh', '```'], /^1: a comment that is no marker/],
    ['within a line', ['see <!-- not run: slow -->', '```sh', '```'], /^1: a comment that is no marker/],
    ['to replace nothing', ['<!-- with: a = b -->', '```sh', 'ls', '```'], /^2: there is no a in this block/],
    ['to replace by nothing', ['<!-- with: ls = -->', '```sh', 'ls', '```'], /^2: "with" takes A = B/],
    [
      'on a block that is not run',
      ['<!-- file: a -->', '<!-- not run: no -->', '```js', '```'],
      /^3: this block is not run, and/,
    ],
  ])('%s', (_, lines, message) => {
    expect(problemsOf(...lines)).toContainEqual(expect.stringMatching(message));
  });
});

it('a block that is marked is left alone', () => {
  expect(readDocument('<!-- not run: takes\nan hour -->\n```\nrm -r /\n```\n')).toEqual({
    steps: [],
    problems: [],
  });
});

describe('what goes wrong', () => {
  it('an output that is another', async () => {
    expect(await follow(['# A', '```sh', 'echo 1', 'echo two', '```', '', '```text', '1', '2', '```'])).toBe(
      'guide.md:7: the output is another\nthe document:\n1\n2\nprinted:\n1\ntwo',
    );
  });

  it('a command that fails, and what it said', async () => {
    const message = await follow(['```sh', 'ls nowhere', 'echo goes on', '```']);
    expect(message).toMatch(/^guide.md:1: ended with [12]\n.*nowhere/);
    expect(message).not.toContain('goes on');
  });

  it('an answer with an error', async () => {
    expect(await follow(['```sh', `echo '{"status":"error"}'`, '```'])).toMatch(
      /^guide.md:1: was answered with an error/,
    );
  });

  it('what should have come first, and what does not come true', async () => {
    expect(await follow(['', '<!-- first: exit 3 -->', '```sh', 'ls', '```'])).toMatch(
      /^guide.md:3: what comes first ended with 3/,
    );
    await reader?.end();
    expect(await follow(['', '<!-- until: test -e there -->'], { patience: 0.5 })).toMatch(
      /^guide.md:2: did not come true\ntest -e there/,
    );
  });

  it('a program that does not compile', async () => {
    const lines = ['<!-- file: a.ts -->', '```ts', `const n: number = '1';`, 'console.log(n);', '```'];
    expect(await follow(lines)).toMatch(/^guide.md:2: ended with \d\na\.ts\(1,7\): error TS2322/);
  });

  it('a server that does not start', async () => {
    expect(await follow(['', '```sh', 'make serve ARGS=--no-such-flag', '```'])).toMatch(
      /^guide.md:2: the server ended\n[\s\S]*--no-such-flag/,
    );
  });
});

it('what is right is followed in its order, in a folder of its own that is gone afterwards', async () => {
  const lines = [
    '<!-- with: /srv/notes.txt = notes.txt -->',
    ...['```sh', 'echo one > /srv/notes.txt', '```'],
    '<!-- file: data/numbers.json -->',
    ...['```json', '{"numbers": [1, 2]}', '```'],
    '<!-- first: echo two >> notes.txt -->',
    '<!-- file: add.mjs -->',
    ...['```js', `import fs from 'node:fs';`, `console.log(fs.readFileSync('notes.txt', 'utf8').trim());`],
    ...[`console.log(JSON.parse(fs.readFileSync('data/numbers.json', 'utf8')).numbers);`, '```'],
    ...['```text', 'one', 'two', '[ 1, 2 ]', '```'],
    '<!-- file: count.sh -->',
    ...['```sh', 'wc -l < notes.txt | tr -d " "; basename "$0"', '```', '```text', '2', 'count.sh', '```'],
    ...['```python', 'import sys', 'print(sys.argv[0])', '```', '```text', '-c', '```'],
    '<!-- until: grep two notes.txt -->',
  ];
  expect(await follow(lines)).toBe('');
  const folder = reader?.folder ?? '';
  expect(fs.readFileSync(path.join(folder, 'notes.txt'), 'utf8')).toBe('one\ntwo\n');
  expect(fs.existsSync(path.join(import.meta.dirname, '..', '..', 'notes.txt'))).toBe(false);
  await reader?.end();
  expect(fs.existsSync(folder)).toBe(false);
});

describe('an output is the one of the document', () => {
  it.each([
    ['text', 'a\nb\n', 'a  \nb', true],
    ['text', 'a\nb', 'a b', false],
    ['text', 'y: [2.5 3.0]', 'y: [2.500001 2.9999999]', true],
    ['text', 'y: [2.5 3.0]', 'y: [2.5001 3.0]', false],
    ['text', '3 files', '4 files', false],
    ['text', 'on http://127.0.0.1:…, v…', 'on http://127.0.0.1:8080, v1', true],
    ['text', 'on …', 'on a\nb', false],
    ['text', '…\nb\n…', 'b', true],
    ['text', '…\nb\n…', 'a\na\nb\nc\nc', true],
    ['text', '…\nb\n…', 'a\nbc', false],
    ['json', '{"a": [1, 2.5],\n "b": "c d"}', '{"a":[1,2.5],"b":"c d"}\n', true],
    ['json', '{"b": "c d"}', '{"b":"cd"}', false],
    ['json', '{"a": [0.25,…]}', '{"a":[0.2500001,7]}', true],
    ['json', '{"a": 1}', '{"a":1,"b":2}', false],
  ])('%s %j for %j: %s', (language, text, printed, same) => {
    expect(isPrinted({ language, text }, printed)).toBe(same);
  });
});
