/**
 * `docs/reference.md` lists the error codes of the code.
 */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { httpStatusOf } from '../../src/errors.ts';

it('the table of errors has each code with its HTTP status', () => {
  const text = readFileSync(new URL('../../docs/reference.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| `([A-Z_]+)` \| (\d+) \| (?:yes|no) \| \S.+ \|$/gm)];
  const listed = rows.map(([, code, status]) => [code, Number(status)]);
  expect(new Map(listed as [string, number][])).toEqual(new Map(Object.entries(httpStatusOf)));
  expect(listed).toHaveLength(Object.keys(httpStatusOf).length);
});
