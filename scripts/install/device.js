import path from 'node:path';

import { InstallFailure } from './failure.js';

const DEVICES = ['cpu', 'gpu', 'auto'];

/**
 * Decides what to install for: what `DEVICE` and `TENSORFLOW_DIR` ask for now, else what they asked for last time in
 * this checkout, else what the machine has. So `make install DEVICE=gpu` also holds for the next `make serve`. Naming a
 * device forgets `TENSORFLOW_DIR`.
 *
 * @param {NodeJS.ProcessEnv} env
 * @param {import('./stamps.js').Choice | undefined} last
 * @returns {import('./stamps.js').Choice}
 * @throws {InstallFailure}
 */
export function chooseDevice(env, last) {
  const { DEVICE: device = '', TENSORFLOW_DIR: tensorflowDir = '' } = env;
  if (device !== '' && !DEVICES.includes(device)) {
    throw new InstallFailure(`DEVICE=${device} is not known: use cpu, gpu or auto.`);
  }
  if (device === '' && tensorflowDir === '') return last ?? { device: 'auto', tensorflowDir: '' };
  return { device: device || 'auto', tensorflowDir: tensorflowDir && path.resolve(tensorflowDir) };
}

/**
 * The device of the libtensorflow to use. It is never auto.
 *
 * @param {string} device
 * @param {import('./host.js').Host} host
 * @returns {'cpu' | 'gpu'}
 * @throws {InstallFailure} for a GPU where there is no CUDA build
 */
export function resolveDevice(device, host) {
  const cudaBuildExists = host.platform === 'linux' && host.arch === 'x64';
  if (device === 'auto') return cudaBuildExists && host.hasNvidiaDriver() ? 'gpu' : 'cpu';
  if (device === 'gpu' && !cudaBuildExists) {
    throw new InstallFailure(
      `DEVICE=gpu is for Linux on x86-64, as PyPI has no CUDA build of TensorFlow for ${host.platform}-${host.arch}: ` +
        'use DEVICE=cpu, or set TENSORFLOW_DIR to a build of your own.',
    );
  }
  return device === 'gpu' ? 'gpu' : 'cpu';
}
