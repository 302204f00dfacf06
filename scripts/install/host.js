import fs from 'node:fs';
import path from 'node:path';

/**
 * What the install step wants to know about the machine. Everything it decides by comes from here, so that the tests
 * can put another machine in its place.
 *
 * @typedef {object} Host
 * @property {string} platform                       as `process.platform`
 * @property {string} arch                           as `process.arch`
 * @property {string} nodeVersion                    e.g. "20.19.0"
 * @property {() => string | null} glibcVersion      null where the C library is another one (musl)
 * @property {() => boolean} hasAvx                  whether an x86 processor has AVX; true where that cannot be told
 * @property {() => boolean} hasNvidiaDriver
 * @property {(folder: string) => number} freeBytes  free space for this user where the folder is or will be
 * @property {NodeJS.ProcessEnv} env
 */

/**
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Host}
 */
export function thisHost(env = process.env) {
  return {
    platform: process.platform,
    arch: process.arch,
    nodeVersion: process.versions.node,
    glibcVersion,
    hasAvx,
    hasNvidiaDriver: () => hasNvidiaDriver(env),
    freeBytes,
    env,
  };
}

/**
 * The executable of a command name; null if there is none.
 *
 * @param {string} name
 * @param {NodeJS.ProcessEnv} env
 */
export function findExecutable(name, env) {
  const candidates = name.includes(path.sep)
    ? [name]
    : (env['PATH'] ?? '')
        .split(path.delimiter)
        .filter((folder) => folder !== '')
        .map((folder) => path.join(folder, name));
  return candidates.find(isExecutable) ?? null;
}

/** @param {string} file */
function isExecutable(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

function glibcVersion() {
  // Without this, the report would resolve the address of every open socket by DNS.
  const report = /** @type {{ excludeNetwork?: boolean } & NodeJS.ProcessReport} */ (process.report);
  report.excludeNetwork = true;
  const { header } = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (report.getReport());
  return header.glibcVersionRuntime ?? null;
}

function hasAvx() {
  try {
    const flags = /^flags\s*:(.*)$/m.exec(fs.readFileSync('/proc/cpuinfo', 'utf8'));
    return flags?.[1] === undefined || flags[1].split(' ').includes('avx');
  } catch {
    return true;
  }
}

/** @param {NodeJS.ProcessEnv} env */
function hasNvidiaDriver(env) {
  return (
    ['/proc/driver/nvidia/version', '/dev/nvidiactl'].some((file) => fs.existsSync(file)) ||
    findExecutable('nvidia-smi', env) !== null
  );
}

/** @param {string} folder */
function freeBytes(folder) {
  let existing = path.resolve(folder);
  while (!fs.existsSync(existing)) existing = path.dirname(existing);
  const { bavail, bsize } = fs.statfsSync(existing);
  return bavail * bsize;
}
