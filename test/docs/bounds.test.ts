/** `docs/bodies.md` lists the table of bounds in the code. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { bounds } from '../../src/tensors/limits.ts';

it('the table of what a body may hold is the one in the code', () => {
  const text = readFileSync(new URL('../../docs/bodies.md', import.meta.url), 'utf8');
  const section = text.slice(text.indexOf('## What a body may hold'));
  const rows = section.split('\n').filter((line) => /^\| [\d,]+ \|/.test(line));
  expect(rows).toEqual(
    Object.values(bounds).map(({ most, of }) => `| ${most.toLocaleString('en')} | ${of} |`),
  );
});
