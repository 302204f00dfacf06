/**
 * A model at which TensorFlow ends the process takes no other down: while something is served it is rehearsed, and at a start no server falls into the same hole twice.
 */
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GraphBuilder, inSavedModel } from '../fixtures/graph.ts';
import { TestRepository, testModels, unsafeModels } from '../fixtures/repository.ts';
import { launch, TestServer } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';
import { warmupRecord } from '../fixtures/warmup-record.ts';

/** CBOR `{"x": [1]}` */
const body = Uint8Array.of(0xa1, 0x61, 0x78, 0x81, 0x01);

const checkFailure = 'warming it up ended a rehearsal with SIGABRT: tensor_shape.cc';

/** TensorFlow leaves its pooling to oneDNN, which ends the process, on some processors only. */
const withOneDnn = { TF_ENABLE_ONEDNN_OPTS: '1' };

let repository: TestRepository;
let state: string;
let server: TestServer | undefined;

beforeEach(async () => {
  repository = await TestRepository.create('versioned');
  state = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-rehearsal-'));
});

afterEach(async () => {
  await server?.stop('SIGKILL');
  server = undefined;
  await repository.remove();
  await rm(state, { recursive: true });
});

function argsWith(...args: string[]): string[] {
  return ['--model-path', repository.root, '--settle', '0.1', '--state-dir', state, ...args];
}

async function serve(...args: string[]): Promise<TestServer> {
  server = await TestServer.start({ args: argsWith('--rehearse', 'auto', ...args), env: withOneDnn });
  return server;
}

/** Renames a version of a test model into place. */
async function publish(template: string, model: string, version: number, models = testModels): Promise<void> {
  const staged = repository.path(`.staged-${template}-${version}`);
  await cp(path.join(models, template, '1'), path.join(staged, `${version}`), { recursive: true });
  await delay(25); // A rename within the tick of the copy would look like a copy.
  const place = repository.path(model, version);
  await rm(place, { recursive: true, force: true });
  const hasModel = (await readdir(repository.root)).includes(model);
  await rename(
    hasModel ? path.join(staged, `${version}`) : staged,
    hasModel ? place : repository.path(model),
  );
  await rm(staged, { recursive: true, force: true });
}

async function statusOf(model: string, version: number) {
  const { versions } = (await (server as TestServer).get(`/models/${model}`)).body;
  return versions?.find((each: { version: number }) => each.version === version);
}

/** Processes that rehearse a version, by the server's number: another process starts them for it. */
async function rehearsalsOf(pid: number | undefined): Promise<number[]> {
  const starters = await childrenOf(pid, 'rehearsal-starter.js');
  return (await Promise.all(starters.map((starter) => childrenOf(starter, 'rehearse.js')))).flat();
}

async function childrenOf(pid: number | undefined, program: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of (await readdir('/proc')).filter((each) => /^\d+$/.test(each))) {
    const stat = await readFile(`/proc/${name}/stat`, 'latin1').catch(() => '');
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const line = await readFile(`/proc/${name}/cmdline`, 'latin1').catch(() => '');
    if (Number(parent) === pid && state !== 'Z' && line.includes(program)) found.push(Number(name));
  }
  return found;
}

/**
 * A model that pools images, and says of them that they are large enough, so that it gets no guard. Its own request has one
 * that is not. The signature is that of `versioned`, but for the shape.
 */
async function writePool(directory: string): Promise<void> {
  const shape = [null, null, null, 1];
  const graph = new GraphBuilder();
  const x = graph.placeholder('float32', shape, { name: 'x' });
  graph.first('Identity', [x], {}, { name: 'large' });
  const large = graph.nodes.pop();
  if (!large) throw new Error('nothing was added');
  const sizes = { list: { shape: [{ dim: [1, 16, 16, 1].map((size) => ({ size })) }] } };
  graph.nodes.push({ ...large, attr: [...large.attr, { key: '_output_shapes', value: sizes }] });
  const y = graph.first('MaxPool', [{ ...x, node: 'large', name: 'large' }], {
    ...{ ksize: [1, 1, 3, 1], strides: [1, 2, 2, 1], padding: 'VALID' },
  });
  await inSavedModel(graph.encode(), (made) => cp(made, directory, { recursive: true }), {
    inputs: { x: { ref: x, shape } },
    outputs: { y: { ref: y, shape: null } },
  });
  await mkdir(path.join(directory, 'assets.extra'));
  const record = warmupRecord('x', [4, 4, 1, 1], new Uint8Array(64));
  await writeFile(path.join(directory, 'assets.extra', 'tf_serving_warmup_requests'), record);
}

function isThere(pid: number): Promise<boolean> {
  return readFile(`/proc/${pid}/stat`, 'latin1').then(
    (stat) => !/\) Z /.test(stat),
    () => false,
  );
}

async function notes(): Promise<string[]> {
  const entries = await readdir(state, { recursive: true });
  return entries.filter((name) => name.endsWith('.json'));
}

describe('while something is served', () => {
  it('a version that ends its process is refused with the reason, and the one before it goes on', async () => {
    const { child, update, infer } = bind(await serve());
    await publish('aborts', 'versioned', 2, unsafeModels);
    const { error } = await until(async () => {
      const status = await statusOf('versioned', 2);
      return status?.error && status;
    }, 'version 2 to be refused');
    expect(error).toEqual({ code: 'FAILED_PRECONDITION', message: expect.stringContaining(checkFailure) });
    expect(error.message).toContain('Check failed');
    const asked = await update({ model: 'versioned' });
    expect(asked.status).toBe(409);
    expect(asked.body.error.message).toMatch(
      /^version 2 of `versioned` is not served: warming it up ended .*; version 1 goes on serving$/s,
    );
    expect((await infer('/models/versioned/infer', body)).body).toMatchObject({ version: 1 });
    await publish('versioned_v2signature', 'other', 1);
    await until(async () => (await statusOf('other', 1))?.state === 'AVAILABLE', 'another model to serve');
    expect(await rehearsalsOf(child.pid)).toEqual([]);
    expect(await notes()).toEqual([]);
  });

  it('one that loads for ever is given up, and its process is ended', async () => {
    const { child } = bind(await serve('--load-timeout', '3'));
    await publish('endless', 'versioned', 2, unsafeModels);
    const error = await until(async () => (await statusOf('versioned', 2))?.error, 'the load to be given up');
    expect(error).toEqual({
      code: 'DEADLINE_EXCEEDED',
      message: 'loading took more than 3 s (--load-timeout)',
    });
    await until(async () => (await rehearsalsOf(child.pid)).length === 0, 'the process to be gone');
    expect((await (server as TestServer).get('/models/versioned')).body.version).toBe(1);
    expect(await (server as TestServer).stop()).toBe(0);
  });

  it('one whose rehearsal is killed is tried again after a pause', async () => {
    const { child, get } = bind(await serve());
    await publish('endless', 'versioned', 2, unsafeModels);
    const begun = (without: readonly number[]) =>
      until(async () => {
        const rehearsals = await rehearsalsOf(child.pid);
        return rehearsals.find((rehearsal) => !without.includes(rehearsal));
      }, 'a rehearsal to begin');
    const first = await begun([]);
    process.kill(first, 'SIGKILL');
    const { error, retry_at } = await until(async () => {
      const status = await statusOf('versioned', 2);
      return status?.error && status;
    }, 'the rehearsal to be over');
    expect(error).toEqual({
      code: 'RESOURCE_EXHAUSTED',
      message: expect.stringMatching(
        /ended a rehearsal with SIGKILL, as the system does when memory runs out/,
      ),
    });
    expect(Date.parse(retry_at)).toBeGreaterThan(0);
    expect((await get('/models/versioned')).body.version).toBe(1);
    await begun([first]);
  });

  it('one that ends its process at a request of its publisher is refused', async () => {
    const { get } = bind(await serve());
    const staged = repository.path('.staged');
    await writePool(path.join(staged, '2'));
    await delay(25);
    await rename(path.join(staged, '2'), repository.path('versioned', 2));
    const error = await until(async () => (await statusOf('versioned', 2))?.error, 'version 2 to be refused');
    expect(error).toEqual({
      code: 'FAILED_PRECONDITION',
      message: expect.stringMatching(/^warming it up ended a rehearsal with SIG/),
    });
    expect((await get('/models/versioned')).body.version).toBe(1);
  });

  it('one that ends its process beneath a handler is refused', async () => {
    const { get } = bind(await serve('--allow-handlers'));
    const staged = repository.path('.staged');
    await cp(path.join(unsafeModels, 'aborts', '1'), path.join(staged, '2'), { recursive: true });
    await writeFile(path.join(staged, '2', 'handler.mjs'), 'export const warmup = () => {};');
    await delay(25);
    await rename(path.join(staged, '2'), repository.path('versioned', 2));
    const error = await until(async () => (await statusOf('versioned', 2))?.error, 'version 2 to be refused');
    expect(error).toEqual({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining(checkFailure),
    });
    expect((await get('/models/versioned')).body.version).toBe(1);
  });

  it('a rehearsal is not told the API keys', async () => {
    server = await TestServer.start({
      args: argsWith('--rehearse', 'auto'),
      env: { TFJS_SERVING_API_KEYS: 'secret' },
    });
    const { pid } = server.child;
    await publish('endless', 'versioned', 2, unsafeModels);
    const [rehearsal] = await until(async () => {
      const rehearsals = await rehearsalsOf(pid);
      return rehearsals.length > 0 ? rehearsals : undefined;
    }, 'the rehearsal to begin');
    const environment = await readFile(`/proc/${rehearsal}/environ`, 'latin1');
    expect(environment).toContain('PATH=');
    expect(environment).not.toContain('TFJS_SERVING_API_KEYS');
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)('a rehearsal ends with the server: %s', async (signal) => {
    const { child, stop } = bind(await serve());
    await publish('endless', 'versioned', 2, unsafeModels);
    const [rehearsal] = await until(async () => {
      const rehearsals = await rehearsalsOf(child.pid);
      return rehearsals.length > 0 ? rehearsals : undefined;
    }, 'the rehearsal to begin');
    expect(await stop(signal)).toBe(signal === 'SIGTERM' ? 0 : null);
    await until(async () => !(await isThere(rehearsal as number)), 'the rehearsal to be gone');
    expect(await notes()).toEqual([]);
  });
});

describe('at a start', () => {
  /** The first server dies of the model. */
  async function dieOnce(rehearse = 'auto'): Promise<void> {
    const { child, output } = launch(['serve', '--port', '0', ...argsWith('--rehearse', rehearse)]);
    await once(child, 'close');
    expect(child.signalCode, output.text).toBe('SIGABRT');
    expect(await notes()).toHaveLength(1);
  }

  beforeEach(async () => {
    await publish('aborts', 'bad', 1, unsafeModels);
  });

  it('a server dies once, and from then on the other models are served', async () => {
    await dieOnce();
    const { get, update, log, stop } = bind(await serve());
    expect(log()).toMatch(
      /WARN.*bad version 1: a server died while it loaded this version: it is rehearsed first/,
    );
    expect((await get('/models/versioned')).body.version).toBe(1);
    expect((await get('/health/ready')).status).toBe(200);
    expect((await statusOf('bad', 1)).error.message).toContain(checkFailure);
    const { models } = (await get('/health')).body;
    expect(models).toContainEqual(expect.objectContaining({ name: 'bad', code: 'FAILED_PRECONDITION' }));
    expect((await update({ model: 'bad' })).status).toBe(409);
    expect(await stop()).toBe(0);
    await serve();
    expect((await statusOf('bad', 1)).error.message).toContain(checkFailure);
  });

  it('without rehearsals it is not tried again until its files change', async () => {
    await dieOnce('off');
    const { get } = bind(await serve('--rehearse', 'off'));
    expect((await get('/models/versioned')).body.version).toBe(1);
    expect((await statusOf('bad', 1)).error).toEqual({
      code: 'FAILED_PRECONDITION',
      message: expect.stringMatching(
        /^a server died while it loaded this version \(begun at .*\): it is not tried again until its files change, or \/update_model asks for it$/,
      ),
    });
    await publish('versioned', 'bad', 1);
    await until(async () => (await statusOf('bad', 1))?.state === 'AVAILABLE', 'the mended version to serve');
    expect(await notes()).toEqual([]);
  });
});

function bind(started: TestServer) {
  return {
    child: started.child,
    get: started.get.bind(started),
    infer: started.infer.bind(started),
    update: started.update.bind(started),
    stop: started.stop.bind(started),
    log: () => started.log,
  };
}
