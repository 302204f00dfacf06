/** Files that are read again and again. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readAtStart, WatchedFiles } from '../../src/files/watched-files.ts';

let folder: string;
let file: string;
let watched: WatchedFiles | undefined;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'tfjs-serving-watched-'));
  file = path.join(folder, 'file');
  writeFileSync(file, 'first');
});

afterEach(() => {
  watched?.close();
  rmSync(folder, { recursive: true });
});

it('a look that is asked for while another is under way sees what changed meanwhile', async () => {
  const seen: string[] = [];
  let second: Promise<void> | undefined;
  watched = new WatchedFiles(
    {
      files: [file],
      changed: ([contents]) => {
        seen.push(String(contents));
        if (second) return;
        // This look has read the file, and is still under way.
        writeFileSync(file, 'third');
        second = watched?.look();
      },
      failed: (error) => seen.push(String(error)),
    },
    [readAtStart('--file', file)],
  );
  writeFileSync(file, 'second');
  await watched.look();
  await second;
  expect(seen).toEqual(['second', 'third']);
});

it('a failure is told once, and again after files that were good', async () => {
  const told: string[] = [];
  watched = new WatchedFiles(
    {
      files: [file],
      changed: () => {},
      failed: (error) => told.push((error as NodeJS.ErrnoException).code ?? ''),
    },
    [readAtStart('--file', file)],
  );
  rmSync(file);
  for (let i = 0; i < 3; i++) await watched.look();
  writeFileSync(file, 'first');
  await watched.look();
  rmSync(file);
  await watched.look();
  expect(told).toEqual(['ENOENT', 'ENOENT']);
});

it('a file that the start needs is named by its flag', () => {
  expect(() => readAtStart('--file', path.join(folder, 'none'))).toThrow(/^--file cannot be read: ENOENT/);
});
