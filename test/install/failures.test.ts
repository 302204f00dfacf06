import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { InstallFailure } from '../../scripts/install/failure.js';
import type { Host } from '../../scripts/install/host.js';
import { LIBTENSORFLOW } from '../../scripts/install/pins.js';
import { type Behaviour, Machine, write } from './fixture.js';

let machine: Machine;
let root: string;

beforeEach(() => {
  machine = new Machine();
  root = machine.package();
});
afterEach(() => machine.remove());

async function failure(options: Parameters<Machine['install']>[1]): Promise<string> {
  const error = await machine.install(root, options).catch((error: unknown) => error);
  expect(error).toBeInstanceOf(InstallFailure);
  return (error as InstallFailure).message;
}

/** A PATH with these commands of the machine alone. */
function pathWith(...commands: string[]): string {
  const folder = fs.mkdtempSync(path.join(machine.folder, 'path-'));
  for (const command of commands) fs.symlinkSync(path.join(machine.bin, command), path.join(folder, command));
  return folder;
}

describe('a machine TensorFlow does not run on is told so before anything is downloaded', () => {
  const linux = { platform: 'linux', arch: 'x64' };
  const cases: [string, Partial<Host>, RegExp][] = [
    ['musl', { ...linux, glibcVersion: () => null }, /musl .*use a Debian, Ubuntu or Fedora/],
    ['an old glibc', { ...linux, glibcVersion: () => '2.17' }, /glibc 2\.17.* 2\.27 or newer/],
    ['no AVX', { ...linux, hasAvx: () => false }, /no AVX/],
    [
      'Windows',
      { platform: 'win32' },
      /no TensorFlow build for win32-.*linux-x64, linux-arm64, darwin-arm64/,
    ],
    ['an Intel Mac', { platform: 'darwin', arch: 'x64' }, /no TensorFlow build for darwin-x64/],
    ['a 32-bit ARM', { ...linux, arch: 'arm' }, /no TensorFlow build for linux-arm /],
  ];
  test.each(cases)('%s', async (_name, facts, sentence) => {
    expect(await failure({ host: machine.host({}, facts), pins: LIBTENSORFLOW })).toMatch(sentence);
    expect(machine.calls('python3')).toEqual([]);
  });

  test('unless the user brings a TensorFlow', async () => {
    const env = { TENSORFLOW_DIR: path.join(machine.folder, 'wheel', 'tensorflow') };
    const { done } = await machine.install(root, {
      host: machine.host(env, { glibcVersion: () => null, hasAvx: () => false }),
    });
    expect(done).toContain('tfjs_binding');
  });
});

describe('what is missing is said in one sentence, with how to get it', () => {
  const cases: [string, () => NodeJS.ProcessEnv & Behaviour, RegExp][] = [
    [
      'no C++ compiler',
      () => ({ PATH: pathWith('python3', 'npm') }),
      /no C\+\+ compiler: install GCC 8.*apt-get install g\+\+/,
    ],
    ['no compiler of that name', () => ({ CXX: 'g++-99' }), /no C\+\+ compiler \(CXX is g\+\+-99\)/],
    [
      'a compiler before C++17',
      () => ({ CXX: '/bin/false' }),
      /\/bin\/false does not compile C\+\+17: install GCC 8/,
    ],
    ['no python3', () => ({ PATH: pathWith('c++', 'npm') }), /no python3.*apt-get install python3-pip/],
    ['no pip', () => ({ PIP: 'missing' }), /python3 has no pip.*ensurepip/],
    [
      'no network for pip',
      () => ({ PIP: 'offline' }),
      /pip could not download tensorflow-cpu.*cannot be reached.*pip\.log/,
    ],
    ['a full disk under pip', () => ({ PIP: 'full' }), /disk with .* is full/],
    ['an unknown device', () => ({ DEVICE: 'tpu' }), /DEVICE=tpu is not known: use cpu, gpu or auto/],
    [
      'no TensorFlow in TENSORFLOW_DIR',
      () => ({ TENSORFLOW_DIR: machine.bin }),
      /holds no TensorFlow: one of libtensorflow_cc/,
    ],
  ];
  test.each(cases)('%s', async (_name, env, sentence) => {
    expect(await failure({ host: machine.host(env()) })).toMatch(sentence);
  });

  test('no GPU build for this machine', async () => {
    const host = machine.host({ DEVICE: 'gpu' }, { platform: 'linux', arch: 'arm64' });
    expect(await failure({ host })).toMatch(/DEVICE=gpu is for Linux on x86-64.*use DEVICE=cpu/);
  });

  test('too little disk, before the download', async () => {
    const host = machine.host({}, { freeBytes: (folder) => (folder === machine.cache ? 1e6 : 1e12) });
    expect(await failure({ host })).toMatch(/has 1 MB free and \d+ MB are needed: .*TFJS_SERVING_CACHE/);
    expect(machine.calls('python3')).toEqual([]);
  });

  test('headers missing in TENSORFLOW_DIR', async () => {
    const folder = path.join(machine.folder, 'wheel', 'tensorflow');
    fs.rmSync(path.join(folder, 'include/tensorflow/c/eager'), { recursive: true });
    const message = await failure({ host: machine.host({ TENSORFLOW_DIR: folder }) });
    expect(message).toMatch(/has no include\/tensorflow\/c\/eager\/c_api\.h/);
  });

  describe('from npm', () => {
    beforeEach(() => write(path.join(root, 'package-lock.json'), '{ "packages": {} }'));

    test('no npm', async () => {
      const message = await failure({ host: machine.host({ PATH: pathWith('python3', 'c++') }) });
      expect(message).toMatch(/no npm beside node/);
    });
    test('no network', async () => {
      expect(await failure({ host: machine.host({ NPM: 'offline' }) })).toMatch(
        /npm could not.*cannot be reached.*npm\.log/,
      );
    });
    test('anything else', async () => {
      expect(await failure({ host: machine.host({ NPM: 'broken' }) })).toMatch(
        /npm could not install the packages: .*npm\.log/,
      );
      expect(fs.readFileSync(path.join(root, 'build/logs/npm.log'), 'utf8')).toContain('EUSAGE');
    });
  });
});

test('a wheel with another SHA-256 is thrown away and nothing is unpacked', async () => {
  expect(await failure({ pins: machine.pins('0'.repeat(64)) })).toMatch(
    /came with SHA-256 [0-9a-f]{64} instead of 0{64}/,
  );
  expect(fs.readdirSync(machine.cache, { recursive: true })).toEqual(['downloads']);
});

test('every pinned wheel has a full sum and a size', () => {
  const wheels = LIBTENSORFLOW.flatMap((pin) => pin.wheels);
  for (const { sha256, bytes, file } of wheels) {
    expect(sha256, file).toMatch(/^[0-9a-f]{64}$/);
    expect(bytes, file).toBeGreaterThan(1e6);
  }
});
