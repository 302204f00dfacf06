/** The blocks of every document are run, from top to bottom. */
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentsOf } from '../../scripts/check-docs.js';
import { readDocument } from '../../scripts/docs/blocks.js';
import { layoutOf } from '../../scripts/install/layout.js';
import { pythonEnvironment } from '../../scripts/test/python-environment.js';
import { type Python, Reader } from './reader.ts';

const root = path.join(import.meta.dirname, '..', '..');
let python: Python;

beforeAll(async () => {
  const requirements = path.join(root, 'test', 'python', 'requirements.txt');
  const made = await pythonEnvironment(requirements, layoutOf(root, process.env).cache);
  if (made === null) throw new Error('the Python environment could not be made');
  python = made;
}, 600_000);

for (const document of documentsOf(root)) {
  const { steps, problems } = readDocument(fs.readFileSync(path.join(root, document), 'utf8'));

  it(`every block of ${document} can be followed`, () => {
    expect(problems.map(({ line, message }) => `${document}:${line}: ${message}`)).toEqual([]);
  });

  if (steps.length === 0) continue;
  describe(document, () => {
    let reader: Reader;

    beforeAll(async () => {
      reader = await Reader.begin(document, steps, { python });
    });

    afterAll(() => reader?.end());

    for (const step of steps) it(`${document}:${step.line} ${titleOf(step.text)}`, () => reader.follow(step));
  });
}

function titleOf(text: string): string {
  const [first = ''] = text.trim().split('\n');
  return first.length > 70 ? `${first.slice(0, 70)}…` : first;
}
