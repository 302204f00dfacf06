/** Unpacks libraries of custom operations for the tests from pinned wheels. */
import fs from 'node:fs';
import path from 'node:path';

import { digest } from '../install/digest.js';
import { download } from '../install/download.js';
import { thisHost } from '../install/host.js';
import { layoutOf } from '../install/layout.js';
import { withLock } from '../install/lock.js';
import { Progress } from '../install/progress.js';
import { Stamps } from '../install/stamps.js';
import { unzip } from '../install/unzip.js';

/** Of the same minor version as the TensorFlow in `../install/pins.js`. @type {import('../install/pins.js').Wheel[]} */
const WHEELS = [
  {
    requirement: 'tensorflow-text==2.21.1',
    file: 'tensorflow_text-2.21.1-cp311-cp311-manylinux_2_27_x86_64.whl',
    platform: 'manylinux_2_27_x86_64',
    sha256: 'c9fdeb93208b2fa4d6e5ecc0ca7da4a492bfd30e03b7219fbcbcbc7a2ce5070c',
    bytes: 60004769,
    unpackedBytes: 179_000_000,
  },
  {
    requirement: 'ydf-tf==2.21.0.post1',
    file: 'ydf_tf-2.21.0.post1-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl',
    platform: 'manylinux_2_27_x86_64',
    sha256: 'cf2cf939f7cf05d0445fa6d012ff1977eb052042110371a543fb351165f2acbb',
    bytes: 1271658,
    unpackedBytes: 5_122_432,
  },
];

/** The files that are libraries of operations. Python's own extension modules are not. */
const LIBRARY = /^(tensorflow_text\/python\/(ops|metrics)|ydf_tf)\/[^/]+\.so$/;

/** True if the wheels are for this machine. */
export const hasOpLibraries = process.platform === 'linux' && process.arch === 'x64';

/**
 * Fetches them into the cache, unless they are there.
 *
 * @param {string} root the checkout
 * @returns {Promise<string>} the folder, laid out as pip would install the wheels
 */
export async function fetchOpLibraries(root) {
  const layout = layoutOf(root, process.env);
  const folder = path.join(layout.cache, `op-libraries-${digest(WHEELS.map(({ sha256 }) => sha256))}`);
  const { signal } = new AbortController();
  const context = {
    ...{ host: thisHost(), layout, signal },
    ...{ pins: [], stamps: new Stamps(layout.stamps), progress: new Progress() },
  };
  await withLock(`${folder}.lock`, { signal, onWait: () => {} }, async () => {
    if (fs.existsSync(folder)) return;
    const temporary = fs.mkdtempSync(`${folder}.tmp-`);
    try {
      for (const wheel of WHEELS) {
        const file = await download(wheel, path.join(layout.cache, 'downloads'), 'op libraries', context);
        await unzip(file, (name) => (LIBRARY.test(name) ? path.join(temporary, name) : null), { signal });
        fs.rmSync(file);
      }
      fs.renameSync(temporary, folder);
    } finally {
      fs.rmSync(temporary, { recursive: true, force: true });
    }
  });
  return folder;
}
