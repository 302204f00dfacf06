/**
 * A model with an operation that ends the process, or keeps memory for ever, is refused, and the server serves all others.
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
  root = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-refused-test-'));
});

afterEach(async () => {
  await server?.stop('SIGKILL');
  await rm(root, { recursive: true });
});

/** Answers with its input. @param operation is run before */
async function writeModel(name: string, operation?: 'Abort' | 'GetSessionHandle'): Promise<void> {
  const graph = new GraphBuilder();
  const x = graph.placeholder('float32', [null]);
  if (operation === 'Abort') graph.add('Abort', [], { exit_without_error: true }, { name: 'before' });
  if (operation === 'GetSessionHandle') graph.add('GetSessionHandle', [x], {}, { name: 'before' });
  const y = graph.first('Identity', [x], {}, { after: operation ? ['before'] : [] });
  await inSavedModel(graph.encode(), (made) => cp(made, path.join(root, name, '1'), { recursive: true }), {
    inputs: { x: { ref: x, shape: [null] } },
    outputs: { y: { ref: y, shape: [null] } },
  });
}

it('Abort and GetSessionHandle', async () => {
  await writeModel('aborts', 'Abort');
  await writeModel('good');
  await writeModel('keeps', 'GetSessionHandle');
  server = await TestServer.start({ args: ['--model-path', root] });
  const errorOf = async (model: string) => (await server?.get(`/models/${model}`))?.body.versions[0].error;
  expect(await errorOf('aborts')).toEqual({
    code: 'FAILED_PRECONDITION',
    message: 'it has the operation `Abort`, which ends the process: export it without',
  });
  expect(await errorOf('keeps')).toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: expect.stringContaining('`GetSessionHandle`, which keeps a tensor of each request for ever'),
  });
  const response = await fetch(`${server.url}/models/good/infer`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"x":[1]}',
  });
  expect(response.status).toBe(200);
  await response.arrayBuffer();
  expect(await server.stop()).toBe(0);
});
