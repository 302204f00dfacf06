/**
 * A version takes the place of another only if it can answer what the other is asked.
 */
import { cp, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, it } from 'vitest';
import { ints, map } from '../fixtures/cbor.ts';
import { type TestRepository, testModels } from '../fixtures/repository.ts';
import { serveModels, stopServerAfterEach } from '../fixtures/servers.ts';

stopServerAfterEach();

/** Renames a copy of a test model into place as version 2 of `versioned`. */
async function publish(repository: TestRepository, model: string): Promise<void> {
  await cp(path.join(testModels, model, '1'), repository.path('.new'), { recursive: true });
  await rename(repository.path('.new'), repository.path('versioned', 2));
}

const asked = map({ x: ints(1) });

it('a version without any signature is refused, and its predecessor goes on', async () => {
  const { server, repository } = await serveModels(['versioned']);
  await publish(repository, 'no_signatures');
  const { status, body } = await server.update({});
  expect([status, body.error]).toEqual([
    409,
    {
      code: 'FAILED_PRECONDITION',
      message:
        '1 of 1 models could not be loaded: `versioned`: version 2 of `versioned` is not served: it has no signature that can be served: export it with `signatures`; version 1 goes on serving',
    },
  ]);
  expect(await server.infer('/infer', asked)).toMatchObject({ status: 200, body: { version: 1 } });
  expect((await server.get('/health/ready')).status).toBe(200);
});

it('a version without the default signature of its predecessor is refused, until serving.json names another', async () => {
  const { server, repository } = await serveModels(['versioned']);
  await publish(repository, 'gate');
  const { status, body } = await server.update({ model: 'versioned' });
  expect([status, body.error.code]).toEqual([409, 'FAILED_PRECONDITION']);
  expect(body.error.message).toMatch(
    /^version 2 of `versioned` is not served: version 1 serves the signature `serving_default` by default, and this version has `.*`, none of them the default: export it .* `default_signature` in the model's serving\.json; version 1 goes on serving$/,
  );
  expect(await server.infer('/infer', asked)).toMatchObject({ status: 200, body: { version: 1 } });
  expect((await server.get('/health/ready')).status).toBe(200);
  const { versions } = (await server.get('/models/versioned')).body;
  expect(versions[1]).toMatchObject({ version: 2, state: 'END', error: { code: 'FAILED_PRECONDITION' } });

  await writeFile(repository.path('versioned', '.serving.json'), '{"default_signature": "file"}');
  await rename(repository.path('versioned', '.serving.json'), repository.path('versioned', 'serving.json'));
  expect((await server.update({})).status).toBe(200);
  const { version, signatures } = (await server.get('/models/versioned')).body;
  expect([version, signatures.file.default]).toEqual([2, true]);
});

it('a version that was held ready does not take over either', async () => {
  const { server, repository } = await serveModels(['versioned']);
  expect((await server.update({ model: 'versioned', version: 1 })).status).toBe(200);
  await publish(repository, 'gate');
  expect((await server.update({})).status).toBe(200);
  const { status, body } = await server.update({ model: 'versioned', version: 'latest' });
  expect([status, body.error.code]).toEqual([409, 'FAILED_PRECONDITION']);
  expect(await server.infer('/infer', asked)).toMatchObject({ status: 200, body: { version: 1 } });
});

it('alone, a model without any signature leaves the server unready', async () => {
  const { server } = await serveModels(['no_signatures']);
  const { version, versions } = (await server.get('/models/no_signatures')).body;
  expect([version, versions[0].state, versions[0].error.code]).toEqual([null, 'END', 'FAILED_PRECONDITION']);
  expect((await server.get('/health/ready')).status).toBe(503);
  expect((await server.infer('/infer', asked)).status).toBe(503);
});

it('alone, a model that lacks the default signature serves those it has', async () => {
  const { server } = await serveModels(['gate']);
  expect((await server.get('/models/gate')).body.version).toBe(1);
  expect((await server.get('/health/ready')).status).toBe(200);
  expect((await server.infer('/infer', asked)).status).toBe(404);
});

it('serving.json names the default signature before --signature, and takes effect at once', async () => {
  const { server, repository } = await serveModels(['signatures'], '--signature', 'twice');
  const body = map({ a: ints(3), b: ints(4) });
  expect((await server.infer('/infer', map({ a: ints(3) }))).body.outputs).toEqual({ y: [6] });
  await writeFile(repository.path('signatures', 'serving.json'), '{"default_signature": "mul"}');
  expect((await server.update({})).status).toBe(200);
  expect((await server.infer('/infer', body)).body.outputs).toEqual({ y: [12] });
  expect((await server.get('/models/signatures')).body.generation).toBe(1);
});
