/**
 * dist/ of a checkout of one program, which reads a message of proto/.
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { thisHost } from '../../scripts/install/host.js';
import { installDist } from '../../scripts/install/install.js';
import { write } from './fixture.js';

const checkout = path.join(import.meta.dirname, '..', '..');
const program = `
  import { tensorflow } from '#proto/decoders.js';
  const size: string = tensorflow.TensorShapeProto.Dim.decode(Uint8Array.of(8, 7)).size.toString();
  process.stdout.write(size);
`;
let root: string;

beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'tfjs-serving-messages-'));
  for (const copied of ['proto', 'tsconfig.json'])
    fs.cpSync(path.join(checkout, copied), path.join(root, copied), { recursive: true });
  fs.symlinkSync(path.join(checkout, 'node_modules'), path.join(root, 'node_modules'));
  write(
    path.join(root, 'package.json'),
    '{ "name": "fixture", "type": "module", "imports": { "#proto/*": "./dist/proto/*" } }',
  );
  write(path.join(root, 'src/main.ts'), program);
});
afterEach(() => fs.rmSync(root, { recursive: true }));

function install(): Promise<string[]> {
  return installDist({ root, host: thisHost(process.env), signal: new AbortController().signal });
}

function runs(): string {
  return execFileSync(process.execPath, [path.join(root, 'dist/main.js')], { encoding: 'utf8' });
}

function change(file: string, from: string, to: string): void {
  const text = fs.readFileSync(path.join(root, file), 'utf8');
  expect(text).toContain(from);
  write(path.join(root, file), text.replace(from, to));
}

test('code for messages is made again when proto/ has changed, and only then', async () => {
  expect(await install()).toEqual(['dist']);
  expect(runs()).toBe('7');
  expect(await install()).toEqual([]);

  change('proto/tensor.proto', 'int64 size = 1;', 'int64 size = 9;');
  expect(await install()).toEqual(['dist']);
  expect(runs()).toBe('0');
});

test('a description that cannot be read is told with its file and its fault', async () => {
  change('proto/config.proto', 'message RunOptions {', 'message RunOptions');
  await expect(install()).rejects.toThrow(
    /^proto\/config\.proto cannot be read:\n.*illegal token.*line \d+/s,
  );
});
