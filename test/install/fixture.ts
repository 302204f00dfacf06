import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type Host, thisHost } from '../../scripts/install/host.js';
import { install } from '../../scripts/install/install.js';
import type { LibtensorflowPin } from '../../scripts/install/pins.js';
import { Progress } from '../../scripts/install/progress.js';

const MAC = process.platform === 'darwin';
export const LIBRARIES = ['libtensorflow_cc', 'libtensorflow_framework'].map((name) =>
  MAC ? `${name}.2.dylib` : `${name}.so.2`,
);

/** How the stand-ins for pip, npm and the compiler behave, by the variables that steer them. */
export interface Behaviour {
  PIP?: 'offline' | 'full' | 'hang' | 'stubborn' | 'missing';
  NPM?: 'offline' | 'broken';
  CXX_HANGS?: '1';
}

/**
 * A machine with an empty cache on which an install takes a second: TensorFlow is a library of one function, the npm
 * packages are a few files, pip copies a wheel made here and the compiler is the real one, with its calls written down.
 */
export class Machine {
  readonly folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tfjs-serving-install-'));
  readonly cache = path.join(this.folder, 'cache');
  readonly bin = path.join(this.folder, 'bin');
  readonly wheel = path.join(this.folder, 'tensorflow.whl');
  readonly #calls = path.join(this.folder, 'calls');

  constructor() {
    makeWheel(this.wheel, path.join(this.folder, 'wheel'));
    fs.mkdirSync(this.bin);
    this.#command('python3', [
      'case "$*" in',
      '  *--version*) [ "$PIP" = missing ] && exit 1; exit 0 ;;',
      'esac',
      'case "$PIP" in',
      '  offline) echo "Failed to establish a new connection: Temporary failure in name resolution"; exit 1 ;;',
      '  full) echo "ERROR: Could not install packages: [Errno 28] No space left on device"; exit 1 ;;',
      '  hang) exec /bin/sleep 600 ;;',
      "  stubborn) trap '' TERM; while :; do /bin/sleep 1; done ;;",
      'esac',
      'while [ "$1" != --dest ]; do shift; done',
      `exec /bin/cp "${this.wheel}" "$2"`,
    ]);
    this.#command('npm', [
      'case "$NPM" in',
      '  offline) echo "npm error code ENOTFOUND"; exit 1 ;;',
      '  broken) echo "npm error code EUSAGE"; exit 1 ;;',
      'esac',
      '/bin/mkdir -p node_modules && exec /bin/cp package-lock.json node_modules/.package-lock.json',
    ]);
    const compiler = execFileSync('/bin/sh', ['-c', 'command -v c++'], { encoding: 'utf8' }).trim();
    this.#command('c++', [
      '[ -n "$CXX_HANGS" ] && case "$*" in *-c*) exec /bin/sleep 600 ;; esac',
      `exec ${compiler} "$@"`,
    ]);
  }

  /** Command lines of the stand-ins so far, without the questions about versions and C++17. */
  calls(command: 'python3' | 'npm' | 'c++'): string[] {
    if (!fs.existsSync(this.#calls)) return [];
    return fs
      .readFileSync(this.#calls, 'utf8')
      .split('\n')
      .filter((line) => line.startsWith(`${command} `) && !/--version|-fsyntax-only/.test(line));
  }

  /** A package as npm installs it: dependencies in place, no lock file, no src/. */
  package(name = 'package'): string {
    const root = path.join(this.folder, name);
    const files = {
      'package.json': '{ "name": "fixture", "type": "module" }',
      'native/addon.cc':
        'extern "C" const char *TF_Version();\nconst char *ours() { return TF_Version(); }\n',
      'node_modules/@tensorflow/tfjs-node-gpu/package.json': '{ "version": "4.22.0" }',
      'node_modules/@tensorflow/tfjs-node-gpu/binding/binding.cc':
        '#include "tensorflow/c/c_api.h"\nconst char *upstream() { return TF_Version(); }\n',
      'node_modules/node-api-headers/package.json': '{ "version": "1.9.0" }',
      'node_modules/node-addon-api/package.json': '{ "version": "8.9.2" }',
    };
    for (const [file, content] of Object.entries(files)) write(path.join(root, file), content);
    return root;
  }

  /** The pins for this machine: one wheel, made here. */
  pins(sha256 = sha256Of(this.wheel)): LibtensorflowPin[] {
    const bytes = fs.statSync(this.wheel).size;
    const wheel = {
      requirement: 'tensorflow-cpu',
      file: 'tensorflow.whl',
      platform: 'any',
      sha256,
      bytes,
      unpackedBytes: bytes,
    };
    return ['cpu', 'gpu'].map((device) => ({
      name: `${process.platform}-${process.arch}-${device}`,
      wheels: [wheel],
    }));
  }

  /** The facts of a machine that everything runs on, with some replaced. */
  host(env: NodeJS.ProcessEnv & Behaviour = {}, facts: Partial<Host> = {}): Host {
    return {
      ...thisHost({
        PATH: `${this.bin}:${process.env['PATH']}`,
        HOME: this.folder,
        TFJS_SERVING_CACHE: this.cache,
        ...env,
      }),
      glibcVersion: () => '2.36',
      hasAvx: () => true,
      hasNvidiaDriver: () => false,
      freeBytes: () => 1e12,
      ...facts,
    };
  }

  install(root: string, options: Partial<Parameters<typeof install>[0]> = {}): ReturnType<typeof install> {
    return install({
      root,
      host: this.host(),
      pins: this.pins(),
      signal: new AbortController().signal,
      progress: new Progress(() => {}),
      ...options,
    });
  }

  /** Files and folders in the cache that should not outlive an install. */
  leftovers(): string[] {
    return fs
      .readdirSync(this.cache, { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.tmp-|\.lock$/.test(file));
  }

  remove(): void {
    fs.rmSync(this.folder, { recursive: true, force: true });
  }

  #command(name: string, lines: readonly string[]): void {
    const script = ['#!/bin/sh', `echo "${name} $*" >> "${this.#calls}"`, ...lines, ''].join('\n');
    fs.writeFileSync(path.join(this.bin, name), script, { mode: 0o755 });
  }
}

export function write(file: string, content: string): void {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, content);
}

function sha256Of(file: string): string {
  return createHash('sha256').update(fs.readFileSync(file)).digest('hex');
}

function makeWheel(wheel: string, folder: string): void {
  const header = 'extern "C" const char *TF_Version();\n';
  write(path.join(folder, 'tensorflow/include/tensorflow/c/c_api.h'), header);
  write(path.join(folder, 'tensorflow/include/tensorflow/c/eager/c_api.h'), header);
  write(path.join(folder, 'tensorflow/include/Eigen/Core.h'), header);
  write(path.join(folder, 'tensorflow/__init__.py'), '');
  const source = path.join(folder, 'tensorflow.cc');
  write(source, 'extern "C" const char *TF_Version() { return "0.0.0"; }\n');
  for (const name of LIBRARIES) {
    const flags = MAC
      ? ['-dynamiclib', `-Wl,-install_name,@rpath/${name}`]
      : ['-shared', '-fPIC', `-Wl,-soname,${name}`];
    execFileSync('c++', [...flags, source, '-o', path.join(folder, 'tensorflow', name)]);
  }
  execFileSync('python3', ['-m', 'zipfile', '-c', wheel, 'tensorflow'], { cwd: folder });
}
