import fs from 'node:fs';
import path from 'node:path';

import { download } from './download.js';
import { explainError, InstallFailure } from './failure.js';
import { withLock } from './lock.js';
import { TENSORFLOW_VERSION } from './pins.js';
import { checkMachine, checkSpace } from './preflight.js';
import { unzip } from './unzip.js';

const STEP = 'libtensorflow';
const MANIFEST = 'wheels.json';

/** The folders of TensorFlow's 15,000 headers that `tensorflow/c` includes. */
const HEADERS =
  /^tensorflow\/(include\/(?:tensorflow\/c|tensorflow\/core\/platform|tsl\/platform|xla\/tsl\/c)\/.*\.h)$/;
const LIBRARIES = /^tensorflow\/(libtensorflow_(?:cc|framework)\.(?:so\.2|2\.dylib))$/;
/** The libraries of CUDA, and the tools with which XLA compiles. All other files in these wheels are headers. */
const NVIDIA = /^nvidia\/[a-z_]+\/(?:lib|bin|nvvm)\/.+$/;

/** The headers that any libtensorflow must have. */
const NEEDED_HEADERS = ['tensorflow/c/c_api.h', 'tensorflow/c/eager/c_api.h'];

/**
 * A libtensorflow to compile and run with.
 *
 * @typedef {object} Libtensorflow
 * @property {string} id          tells it from others: in the keys of what is compiled against it
 * @property {string} libFolder
 * @property {string} includeFolder
 * @property {string[]} libraries file names to link against
 */

/**
 * The libtensorflow that TENSORFLOW_DIR names. It has lib/ and include/, like TensorFlow's C archives, or its libraries
 * lie beside include/, as in an installed Python package.
 *
 * @param {string} folder
 * @returns {Libtensorflow}
 * @throws {InstallFailure} naming the file that is not there
 */
export function libtensorflowOfUser(folder) {
  const root = path.resolve(folder);
  const names = ['tensorflow_cc', 'tensorflow'].flatMap((name) => [`lib${name}.so.2`, `lib${name}.2.dylib`]);
  for (const libFolder of [path.join(root, 'lib'), root]) {
    const library = names.find((name) => fs.existsSync(path.join(libFolder, name)));
    if (library === undefined) continue;
    const framework = library.replace(/tensorflow(_cc)?/, 'tensorflow_framework');
    const includeFolder = path.join(root, 'include');
    for (const file of [
      path.join(libFolder, framework),
      ...NEEDED_HEADERS.map((header) => path.join(includeFolder, header)),
    ]) {
      if (!fs.existsSync(file))
        throw new InstallFailure(`TENSORFLOW_DIR=${folder} has no ${path.relative(root, file)}.`);
    }
    const { size, mtimeMs } = fs.statSync(path.join(libFolder, library));
    return { id: `${root}:${size}:${mtimeMs}`, libFolder, includeFolder, libraries: [library, framework] };
  }
  throw new InstallFailure(
    `TENSORFLOW_DIR=${folder} holds no TensorFlow: one of ${names.join(', ')} should be in it or in its lib folder.`,
  );
}

/**
 * The libtensorflow from the pinned wheels, whether or not it is there yet.
 *
 * @param {'cpu' | 'gpu'} device
 * @param {import('./context.js').Context} context
 * @returns {Libtensorflow & { folder: string, pin: import('./pins.js').LibtensorflowPin }}
 * @throws {InstallFailure} for a machine without one
 */
export function libtensorflowOfWheels(device, { host, layout, pins }) {
  const pin = pins.find(({ name }) => name === `${host.platform}-${host.arch}-${device}`);
  if (pin === undefined) {
    checkMachine(host);
    throw new InstallFailure(
      `No TensorFlow build is pinned for ${host.platform}-${host.arch} with DEVICE=${device}.`,
    );
  }
  const folder = path.join(layout.cache, `libtensorflow-${TENSORFLOW_VERSION}-${pin.name}`);
  const ending = host.platform === 'darwin' ? '2.dylib' : 'so.2';
  return {
    // The device and the checksums are left out: a binding and an addon that were compiled against one build of a
    // version run on the other.
    id: `${TENSORFLOW_VERSION}-${host.platform}-${host.arch}`,
    libFolder: path.join(folder, 'lib'),
    includeFolder: path.join(folder, 'include'),
    libraries: [`libtensorflow_cc.${ending}`, `libtensorflow_framework.${ending}`],
    folder,
    pin,
  };
}

/**
 * True if the cache has it complete, and from exactly these wheels.
 * @param {ReturnType<typeof libtensorflowOfWheels>} library
 */
export function isUnpacked({ folder, libFolder, libraries, pin }) {
  try {
    return (
      fs.readFileSync(path.join(folder, MANIFEST), 'utf8') === manifestOf(pin) &&
      libraries.every((name) => fs.existsSync(path.join(libFolder, name)))
    );
  } catch {
    return false;
  }
}

/**
 * Downloads and unpacks what is missing. The folder gets its name in the cache only when it is complete. Wheels that
 * were verified stay until then, so that an interrupted install continues after them.
 *
 * @param {ReturnType<typeof libtensorflowOfWheels>} library
 * @param {import('./context.js').Context} context
 */
export async function unpackLibtensorflow(library, context) {
  const { host, layout, progress, signal } = context;
  const { folder, pin } = library;
  checkMachine(host);
  await withLock(
    `${folder}.lock`,
    { signal, onWait: () => progress.say(STEP, 'waiting for another install that is fetching it') },
    async () => {
      if (isUnpacked(library)) return;
      const downloads = path.join(layout.cache, 'downloads');
      removeLeftovers(layout.cache, `${path.basename(folder)}.tmp-`);
      for (const { file } of pin.wheels) removeLeftovers(downloads, `${file}.tmp-`);
      checkSpace(host, layout.cache, spaceNeeded(pin, downloads));

      const wheels = [];
      for (const wheel of pin.wheels) wheels.push(await download(wheel, downloads, STEP, context));
      await unpack(library, wheels, context);
      for (const wheel of wheels) fs.rmSync(wheel, { force: true });
    },
  );
}

/**
 * @param {ReturnType<typeof libtensorflowOfWheels>} library
 * @param {readonly string[]} wheels
 * @param {import('./context.js').Context} context
 */
async function unpack({ folder, pin }, wheels, { progress, signal }) {
  const total = sum(pin.wheels.map(({ unpackedBytes }) => unpackedBytes));
  const report = progress.tenths(STEP, 'unpacked', total);
  const temporary = fs.mkdtempSync(`${folder}.tmp-`);
  try {
    let unpacked = 0;
    for (const wheel of wheels) {
      await unzip(wheel, (name) => destinationOf(name, temporary), {
        signal,
        onBytes(bytes) {
          unpacked += bytes;
          report(unpacked);
        },
      });
    }
    fs.writeFileSync(path.join(temporary, MANIFEST), manifestOf(pin));
    fs.chmodSync(temporary, 0o755);
    // It has other checksums, or somebody deleted files from it.
    fs.rmSync(folder, { recursive: true, force: true });
    fs.renameSync(temporary, folder);
  } catch (error) {
    throw explainError(error, path.dirname(folder));
  } finally {
    fs.rmSync(temporary, { recursive: true, force: true });
  }
}

/**
 * Where a file of a wheel goes: libraries into lib/, headers into include/, and CUDA where the run path of TensorFlow's
 * libraries looks for it ($ORIGIN/../nvidia).
 *
 * @param {string} name in the wheel
 * @param {string} folder
 */
function destinationOf(name, folder) {
  if (name.split('/').includes('..')) return null;
  const library = LIBRARIES.exec(name)?.[1];
  if (library !== undefined) return path.join(folder, 'lib', library);
  const header = HEADERS.exec(name)?.[1];
  if (header !== undefined) return path.join(folder, header);
  return NVIDIA.test(name) ? path.join(folder, name) : null;
}

/**
 * Links the libtensorflow of this checkout to where tfjs-node-gpu looks for it, and beside our own addon.
 *
 * @param {Libtensorflow} library
 * @param {import('./layout.js').Layout} layout
 */
export function linkLibtensorflow({ libFolder, includeFolder }, layout) {
  for (const [link, target] of linksTo(libFolder, includeFolder, layout)) {
    fs.mkdirSync(path.dirname(link), { recursive: true });
    fs.rmSync(link, { recursive: true, force: true });
    fs.symlinkSync(target, link);
  }
}

/**
 * @param {Libtensorflow} library
 * @param {import('./layout.js').Layout} layout
 */
export function isLinked({ libFolder, includeFolder }, layout) {
  try {
    return linksTo(libFolder, includeFolder, layout).every(
      ([link, target]) => fs.readlinkSync(link) === target,
    );
  } catch {
    return false;
  }
}

/**
 * @param {string} libFolder
 * @param {string} includeFolder
 * @param {import('./layout.js').Layout} layout
 * @returns {[link: string, target: string][]}
 */
function linksTo(libFolder, includeFolder, layout) {
  return [layout.libtensorflow, path.join(layout.packageFolder('@tensorflow/tfjs-node-gpu'), 'deps')].flatMap(
    (folder) => [
      [path.join(folder, 'lib'), libFolder],
      [path.join(folder, 'include'), includeFolder],
    ],
  );
}

/** @param {import('./pins.js').LibtensorflowPin} pin */
function manifestOf({ wheels }) {
  return `${JSON.stringify(
    wheels.map(({ file, sha256 }) => ({ file, sha256 })),
    null,
    2,
  )}\n`;
}

/**
 * The bytes that are still to be written: the wheels, pip's second copy of the one that it fetches, and their content.
 * @param {import('./pins.js').LibtensorflowPin} pin
 * @param {string} downloads
 */
function spaceNeeded({ wheels }, downloads) {
  const missing = wheels.filter(({ file }) => !fs.existsSync(path.join(downloads, file)));
  return (
    sum(missing.map(({ bytes }) => bytes)) + sum(wheels.map(({ unpackedBytes }) => unpackedBytes)) + 100e6
  );
}

/**
 * Removes the temporary folders of an install that was killed. Nobody else writes them while we hold the lock.
 * @param {string} folder
 * @param {string} prefix
 */
function removeLeftovers(folder, prefix) {
  if (!fs.existsSync(folder)) return;
  for (const name of fs.readdirSync(folder)) {
    if (name.startsWith(prefix)) fs.rmSync(path.join(folder, name), { recursive: true, force: true });
  }
}

/** @param {readonly number[]} numbers */
function sum(numbers) {
  return numbers.reduce((a, b) => a + b, 0);
}
