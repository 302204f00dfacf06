import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { unzip } from '../../scripts/install/unzip.js';

const signal = new AbortController().signal;
let folder: string;
let archive: string;

/** An archive by Python's zipfile, as wheels are. */
function zip(script: string): void {
  const program = `import zipfile\nwith zipfile.ZipFile('archive.zip', 'w') as z:\n  ${script}\n`;
  execFileSync('python3', ['-c', program], { cwd: folder });
}

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tfjs-serving-unzip-'));
  archive = path.join(folder, 'archive.zip');
});
afterEach(() => fs.rmSync(folder, { recursive: true }));

test('takes deflated, stored and empty files, and only those wanted', async () => {
  zip(
    `z.writestr('a/deflated', 'x' * 5000000, zipfile.ZIP_DEFLATED); z.writestr('stored', 'y'); z.writestr('empty', '');` +
      `z.writestr('other', 'z'); z.comment = b'a comment'`,
  );
  let bytes = 0;
  const out = path.join(folder, 'out');
  await unzip(archive, (name) => (name === 'other' ? null : path.join(out, name)), {
    signal,
    onBytes: (count) => {
      bytes += count;
    },
  });
  expect(fs.readFileSync(path.join(out, 'a/deflated'), 'utf8')).toBe('x'.repeat(5_000_000));
  expect(fs.readFileSync(path.join(out, 'stored'), 'utf8')).toBe('y');
  expect(fs.readFileSync(path.join(out, 'empty'), 'utf8')).toBe('');
  expect(fs.existsSync(path.join(out, 'other'))).toBe(false);
  expect(bytes).toBe(5_000_001);
});

test('keeps programs executable', async () => {
  zip(
    `i = zipfile.ZipInfo('program'); i.external_attr = 0o744 << 16; z.writestr(i, 'x'); z.writestr('text', 'x')`,
  );
  await unzip(archive, (name) => path.join(folder, name), { signal });
  expect(fs.statSync(path.join(folder, 'program')).mode & 0o111).toBe(0o111);
  expect(fs.statSync(path.join(folder, 'text')).mode & 0o111).toBe(0);
});

test('refuses a file that is damaged', async () => {
  zip(`z.writestr('stored', 'some bytes')`);
  const content = fs.readFileSync(archive);
  content.write('S', content.indexOf('some bytes'));
  fs.writeFileSync(archive, content);
  await expect(unzip(archive, (name) => path.join(folder, name), { signal })).rejects.toThrow(
    'stored: damaged',
  );
});

test('refuses what is no archive', async () => {
  fs.writeFileSync(archive, 'an error page of some proxy');
  await expect(unzip(archive, () => null, { signal })).rejects.toThrow('not a zip archive');
});
