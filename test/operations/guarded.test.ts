/**
 * A request that would end TensorFlow is a 400 that says what the operation needs, and the server goes on.
 */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { GraphBuilder, inSavedModel } from '../fixtures/graph.ts';
import { TestServer } from '../fixtures/server.ts';

let root: string;
let server: TestServer | undefined;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-guarded-test-'));
});

afterEach(async () => {
  await server?.stop('SIGKILL');
  await rm(root, { recursive: true });
});

/** Pools images of any size. */
async function writeModel(directory: string): Promise<void> {
  const shape = [null, null, null, 1];
  const graph = new GraphBuilder();
  const x = graph.placeholder('float32', shape);
  const attributes = { ksize: [1, 1, 3, 1], strides: [1, 2, 2, 1], padding: 'VALID' };
  const y = graph.first('MaxPool', [x], attributes, { name: 'model/pool' });
  await inSavedModel(graph.encode(), (made) => cp(made, directory, { recursive: true }), {
    inputs: { x: { ref: x, shape } },
    outputs: { y: { ref: y, shape: null } },
  });
}

it('an image that is smaller than the window', async () => {
  await writeModel(path.join(root, 'pools', '1'));
  server = await TestServer.start({ args: ['--model-path', root] });
  const { url } = server;
  const ask = async (rows: number, columns: number) => {
    const x = [Array.from({ length: rows }, () => Array.from({ length: columns }, () => [1]))];
    const headers = { 'content-type': 'application/json', accept: 'application/json' };
    const response = await fetch(`${url}/infer`, { method: 'POST', headers, body: JSON.stringify({ x }) });
    return { status: response.status, body: await response.json() };
  };
  expect(await ask(4, 3)).toMatchObject({ status: 200, body: { outputs: { y: [[[[1]], [[1]]]] } } });
  for (const columns of [1, 2]) {
    const message = expect.stringContaining(
      `operation \`MaxPool\` (model/pool) needs pictures that are as large as its window: 3 or more along dim 2 of input 0; got [1,4,${columns},1]`,
    );
    const error = { code: 'INVALID_ARGUMENT', message };
    expect(await ask(4, columns)).toMatchObject({ status: 400, body: { error } });
  }
  expect(await ask(1, 3)).toMatchObject({ status: 200 });
  expect(await server.stop()).toBe(0);
});
