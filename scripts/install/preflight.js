import { InstallFailure } from './failure.js';
import { GLIBC_VERSION, LIBTENSORFLOW } from './pins.js';
import { megabytes } from './progress.js';

const BRING_YOUR_OWN = 'set TENSORFLOW_DIR to a libtensorflow built for it';

/** The bytes for node_modules, the compiled code and the logs. */
const CHECKOUT_BYTES = 600e6;

/**
 * Refuses a machine on which the libtensorflow of the wheels cannot run.
 *
 * @param {import('./host.js').Host} host
 * @throws {InstallFailure}
 */
export function checkMachine(host) {
  const machine = `${host.platform}-${host.arch}`;
  const supported = [...new Set(LIBTENSORFLOW.map(({ name }) => name.replace(/-(cpu|gpu)$/, '')))];
  if (!supported.includes(machine)) {
    throw new InstallFailure(
      `There is no TensorFlow build for ${machine} on PyPI (there is for ${supported.join(', ')}): use one of those, ` +
        `or ${BRING_YOUR_OWN}.`,
    );
  }
  if (host.platform === 'linux') checkGlibc(host.glibcVersion());
  if (host.arch === 'x64' && !host.hasAvx()) {
    throw new InstallFailure(
      `This processor has no AVX instructions, which TensorFlow's own builds need: use another machine, or ${BRING_YOUR_OWN}.`,
    );
  }
}

/** @param {string | null} version */
function checkGlibc(version) {
  if (version === null) {
    throw new InstallFailure(
      'This system has the musl C library (Alpine Linux?), but TensorFlow is built for glibc: use a Debian, Ubuntu ' +
        `or Fedora system or image, or ${BRING_YOUR_OWN}.`,
    );
  }
  if (isOlder(version, GLIBC_VERSION)) {
    throw new InstallFailure(
      `This system has glibc ${version}, but TensorFlow needs ${GLIBC_VERSION} or newer: use a newer distribution, ` +
        `or ${BRING_YOUR_OWN}.`,
    );
  }
}

/**
 * True if a dotted version is older than another.
 * @param {string} version
 * @param {string} than
 */
export function isOlder(version, than) {
  const [a, b] = [version, than].map((text) => text.split('.').map(Number));
  for (let i = 0; i < Math.max(a?.length ?? 0, b?.length ?? 0); i++) {
    const difference = (a?.[i] ?? 0) - (b?.[i] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

/**
 * Refuses to begin work that would fill the disk half-way.
 *
 * @param {import('./host.js').Host} host
 * @param {string} folder
 * @param {number} bytes
 * @throws {InstallFailure}
 */
export function checkSpace(host, folder, bytes) {
  const free = host.freeBytes(folder);
  if (free >= bytes) return;
  throw new InstallFailure(
    `The disk with ${folder} has ${megabytes(free)} free and ${megabytes(bytes)} are needed: free some space, or ` +
      'set TFJS_SERVING_CACHE to a folder on another disk.',
  );
}

/**
 * @param {import('./host.js').Host} host
 * @param {string} root
 */
export function checkCheckoutSpace(host, root) {
  checkSpace(host, root, CHECKOUT_BYTES);
}
