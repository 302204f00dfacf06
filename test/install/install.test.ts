import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Progress } from '../../scripts/install/progress.js';
import { LIBRARIES, Machine, write } from './fixture.js';

const ALL_STEPS = ['libtensorflow', 'links to libtensorflow', 'tfjs_binding', 'tfjs_serving'];
const BINDING = 'node_modules/@tensorflow/tfjs-node-gpu/lib/napi-v8/tfjs_binding.node';
const ADDON = 'build/tfjs_serving.node';

let machine: Machine;
let root: string;

beforeEach(() => {
  machine = new Machine();
  root = machine.package();
});
afterEach(() => machine.remove());

describe('a fresh install', () => {
  test('puts libtensorflow and both native parts where they are looked for', async () => {
    const { done, warning } = await machine.install(root);

    expect(done.toSorted()).toEqual(ALL_STEPS);
    expect(warning).toBeNull();
    for (const folder of ['build/libtensorflow', 'node_modules/@tensorflow/tfjs-node-gpu/deps']) {
      expect(fs.readdirSync(path.join(root, folder, 'lib')).toSorted()).toEqual(LIBRARIES);
      expect(fs.existsSync(path.join(root, folder, 'include/tensorflow/c/c_api.h'))).toBe(true);
    }
    expect(fs.existsSync(path.join(root, BINDING))).toBe(true);
    expect(fs.existsSync(path.join(root, ADDON))).toBe(true);
  });

  test('takes only libraries and headers of the C API out of the wheel, and keeps neither wheel nor temporary files', async () => {
    await machine.install(root);

    const unpacked = path.join(root, 'build/libtensorflow');
    expect(fs.readdirSync(path.join(unpacked, 'include'))).toEqual(['tensorflow']);
    expect(fs.readdirSync(path.join(machine.cache, 'downloads'))).toEqual([]);
    expect(machine.leftovers()).toEqual([]);
  });

  test('asks pip for one file of one platform, whatever Python runs it', async () => {
    await machine.install(root);

    expect(machine.calls('python3')).toHaveLength(1);
    expect(machine.calls('python3')[0]).toMatch(
      /pip download --no-deps --only-binary=:all: .*--python-version 311 .*--platform any .* tensorflow-cpu$/,
    );
  });
});

describe('a further install', () => {
  test('does nothing when nothing changed', async () => {
    await machine.install(root);
    const compiled = machine.calls('c++').length;

    const { done } = await machine.install(root);

    expect(done).toEqual([]);
    expect(machine.calls('python3')).toHaveLength(1);
    expect(machine.calls('c++')).toHaveLength(compiled);
  });

  test('does nothing either when the compiler has gone meanwhile', async () => {
    await machine.install(root);
    const { done } = await machine.install(root, {
      host: machine.host({ PATH: path.join(machine.folder, 'nothing') }),
    });
    expect(done).toEqual([]);
  });

  test('compiles what changed, and nothing else', async () => {
    await machine.install(root);
    fs.appendFileSync(path.join(root, 'native/addon.cc'), 'int more();\n');
    expect((await machine.install(root)).done).toEqual(['tfjs_serving']);
  });

  test('in a second checkout takes libtensorflow and the compiled parts from the cache', async () => {
    await machine.install(root);
    const compiled = machine.calls('c++').length;
    const second = machine.package('second');

    await machine.install(second);

    expect(fs.existsSync(path.join(second, ADDON))).toBe(true);
    expect(machine.calls('python3')).toHaveLength(1);
    expect(machine.calls('c++')).toHaveLength(compiled);
  });

  test('makes again what somebody deleted', async () => {
    await machine.install(root);
    fs.rmSync(path.join(root, BINDING));
    expect((await machine.install(root)).done).toEqual(['tfjs_binding']);

    fs.rmSync(machine.cache, { recursive: true });
    expect((await machine.install(root)).done).toEqual(['libtensorflow']);
  });

  test('fetches libtensorflow again when its pinned sum changed', async () => {
    await machine.install(root);
    fs.appendFileSync(machine.wheel, Buffer.alloc(10)); // a zip archive may have a tail
    expect((await machine.install(root)).done).toEqual(['libtensorflow']);
  });

  test('runs npm ci only when package-lock.json is another', async () => {
    write(
      path.join(root, 'package-lock.json'),
      '{ "packages": { "node_modules/a": { "version": "1.0.0" } } }',
    );
    expect((await machine.install(root)).done).toContain('npm packages');
    expect((await machine.install(root)).done).toEqual([]);

    write(
      path.join(root, 'package-lock.json'),
      '{ "packages": { "node_modules/a": { "version": "2.0.0" } } }',
    );
    expect((await machine.install(root)).done).toEqual(['npm packages']);
  });

  test('accepts packages that npm installed by hand', async () => {
    const lock = '{ "packages": { "": {}, "node_modules/a": { "version": "1.0.0" } } }';
    write(path.join(root, 'package-lock.json'), lock);
    write(path.join(root, 'node_modules/.package-lock.json'), lock);
    await machine.install(root);
    expect(machine.calls('npm')).toEqual([]);
  });
});

describe('an interrupted install', () => {
  test.each(['hang', 'stubborn'] as const)(
    'ends a pip that would %s, and starts the download over',
    async (PIP) => {
      const interrupted = new AbortController();
      const progress = new Progress((line) => {
        if (line.includes('downloading')) setTimeout(() => interrupted.abort(new Error('interrupted')), 200);
      });
      const host = machine.host({ PIP });
      await expect(machine.install(root, { host, progress, signal: interrupted.signal })).rejects.toThrow(
        'interrupted',
      );
      expect(machine.leftovers()).toEqual([]);

      expect((await machine.install(root)).done).toContain('libtensorflow');
    },
  );

  test('keeps the verified wheel when it was unpacking', async () => {
    const interrupted = new AbortController();
    const progress = new Progress((line) => {
      if (line.includes('unpacked')) interrupted.abort(new Error('interrupted'));
    });
    await expect(machine.install(root, { progress, signal: interrupted.signal })).rejects.toThrow();
    expect(machine.leftovers()).toEqual([]);

    await machine.install(root);
    expect(machine.calls('python3')).toHaveLength(1);
  });

  test('keeps libtensorflow when it was compiling', async () => {
    const interrupted = new AbortController();
    const progress = new Progress((line) => {
      if (line.includes('compiling')) setTimeout(() => interrupted.abort(new Error('interrupted')), 200);
    });
    const host = machine.host({ CXX_HANGS: '1' });
    await expect(machine.install(root, { host, progress, signal: interrupted.signal })).rejects.toThrow(
      'interrupted',
    );

    const { done } = await machine.install(root);
    expect(done.toSorted()).toEqual(['tfjs_binding', 'tfjs_serving']);
    expect(machine.calls('python3')).toHaveLength(1);
  });

  test('that was killed does not stand in the way', async () => {
    const folder = path.join(machine.cache, `libtensorflow-2.21.0-${process.platform}-${process.arch}-cpu`);
    write(path.join(`${folder}.tmp-killed`, 'lib', 'half'), '');
    write(path.join(machine.cache, 'downloads', 'tensorflow.whl.tmp-killed', 'tensorflow.whl'), '');
    for (const lock of [`${folder}.lock`, path.join(root, 'build/install.lock')]) {
      write(lock, '');
      fs.utimesSync(lock, new Date(0), new Date(0));
    }
    await machine.install(root);
    expect(machine.leftovers()).toEqual([]);
  });

  test('beside another one waits for it instead of downloading twice', async () => {
    await Promise.all([
      machine.install(root),
      machine.install(root),
      machine.install(machine.package('second')),
    ]);
    expect(machine.calls('python3')).toHaveLength(1);
    expect(machine.leftovers()).toEqual([]);
  });
});

describe('an addon that does not compile', () => {
  beforeEach(() => write(path.join(root, 'native/addon.cc'), 'this is not C++'));

  test('is a warning that names the way out, as the server runs without it', async () => {
    const { warning } = await machine.install(root);
    expect(warning).toMatch(/could not be compiled.*--runtime tfjs/);
    expect(fs.existsSync(path.join(root, BINDING))).toBe(true);
    expect(fs.existsSync(path.join(root, ADDON))).toBe(false);
  });

  test('is not tried at every start, but when asked to', async () => {
    await machine.install(root);
    const again = await machine.install(root, { retryAddon: false });
    expect(again.done).toEqual([]);
    expect(again.warning).not.toBeNull();

    const compiled = machine.calls('c++').length;
    await machine.install(root, { retryAddon: true });
    expect(machine.calls('c++').length).toBeGreaterThan(compiled);
  });
});

describe('the choice of TensorFlow', () => {
  const linked = () => fs.readlinkSync(path.join(root, 'build/libtensorflow/lib'));
  const gpuMachine = { platform: 'linux', arch: 'x64', hasNvidiaDriver: () => true };
  const onLinuxX64 = test.runIf(process.platform === 'linux' && process.arch === 'x64');

  onLinuxX64('is by what the machine has', async () => {
    await machine.install(root, { host: machine.host({}, gpuMachine) });
    expect(linked()).toMatch(/-gpu\/lib$/);
  });

  onLinuxX64(
    'is remembered until another is named, in both directions, without compiling again',
    async () => {
      await machine.install(root, { host: machine.host({ DEVICE: 'gpu' }) });
      await machine.install(root);
      expect(linked()).toMatch(/-gpu\/lib$/);

      const { done } = await machine.install(root, { host: machine.host({ DEVICE: 'cpu' }) });
      expect(linked()).toMatch(/-cpu\/lib$/);
      expect(done).toEqual(['libtensorflow', 'links to libtensorflow']);
      expect((await machine.install(root, { host: machine.host({ DEVICE: 'gpu' }) })).done).toEqual([
        'links to libtensorflow',
      ]);
    },
  );

  test('may be a folder of the user, with lib/ or with the libraries beside include/', async () => {
    const asWheel = path.join(machine.folder, 'wheel', 'tensorflow');
    await machine.install(root, { host: machine.host({ TENSORFLOW_DIR: asWheel }) });
    expect(linked()).toBe(asWheel);

    const asArchive = path.join(machine.folder, 'archive');
    fs.cpSync(path.join(asWheel, 'include'), path.join(asArchive, 'include'), { recursive: true });
    for (const name of LIBRARIES) {
      fs.mkdirSync(path.join(asArchive, 'lib'), { recursive: true });
      fs.copyFileSync(path.join(asWheel, name), path.join(asArchive, 'lib', name.replace('_cc', '')));
    }
    await machine.install(root, { host: machine.host({ TENSORFLOW_DIR: asArchive }) });
    expect(linked()).toBe(path.join(asArchive, 'lib'));
    expect(machine.calls('python3')).toEqual([]);

    await machine.install(root);
    expect(linked()).toBe(path.join(asArchive, 'lib'));
    await machine.install(root, { host: machine.host({ DEVICE: 'cpu' }) });
    expect(linked()).toMatch(/-cpu\/lib$/);
  });
});
