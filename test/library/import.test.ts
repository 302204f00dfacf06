/** Importing the library does no work. */
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { expect, it } from 'vitest';

const root = path.join(import.meta.dirname, '..', '..');

/** What `use`, a line of a module, makes of native libraries that are not Node's own. */
function nativeLibraries(use: string): string[] {
  const program = `
    ${use}
    process.report.excludeNetwork = true;
    const { sharedObjects } = process.report.getReport();
    console.log(JSON.stringify(sharedObjects.filter((file) => /\\.node$|tensorflow/.test(file))));`;
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: root,
    encoding: 'utf8',
  });
  return JSON.parse(output.trim().split('\n').at(-1) ?? '');
}

it('loads no native library, which createServer does', () => {
  expect(nativeLibraries("await import('tfjs-serving');")).toEqual([]);
  const use = "(await import('tfjs-serving')).createServer({ listen: false, logLevel: 'silent' });";
  expect(nativeLibraries(use).join()).toMatch(/tfjs_serving\.node.*libtensorflow/);
});
