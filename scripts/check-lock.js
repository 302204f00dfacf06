/**
 * `node scripts/check-lock.js [--mend]` checks that package-lock.json names every optional dependency, including those
 * of other platforms, and no registry.
 *
 * npm leaves out what the registry does not have, since a mirror holds only what somebody wanted. `npm ci` then refuses
 * the lock file. --mend adds the missing entries, without a checksum.
 */
import fs from 'node:fs';
import path from 'node:path';

const SYSTEMS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'sunos', 'win32'];
const PROCESSORS = ['arm', 'arm64', 'ia32', 'loong64', 'ppc64', 'riscv64', 's390x', 'wasm32', 'x64'];

/**
 * @typedef {object} Package
 * @property {string} [version]
 * @property {string} [resolved]
 * @property {boolean} [dev]
 * @property {Record<string, string>} [optionalDependencies]
 */

/**
 * @param {Record<string, Package>} packages of a lock file
 * @returns {Record<string, object>} the entries it should also have
 */
export function missingEntries(packages) {
  /** @type {Record<string, object>} */
  const missing = {};
  for (const [folder, { dev, optionalDependencies = {} }] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      const entry = `node_modules/${name}`;
      if (packages[entry] !== undefined || packages[`${folder}/${entry}`] !== undefined) continue;
      const { cpu, os } = platformOf(name);
      // The order is npm's. JSON leaves out undefined values.
      missing[entry] = { version, cpu, dev, optional: true, os };
    }
  }
  return missing;
}

/**
 * Finds the platform of a package of binaries by the words in its name.
 * @param {string} name
 */
function platformOf(name) {
  const words = name.split(/[-/]/);
  const os = SYSTEMS.filter((system) => words.includes(system));
  const cpu = PROCESSORS.filter((processor) => words.includes(processor));
  return { cpu: cpu.length > 0 ? cpu : undefined, os: os.length > 0 ? os : undefined };
}

if (process.argv[1] === import.meta.filename) {
  const file = path.join(import.meta.dirname, '..', 'package-lock.json');
  const lock = JSON.parse(fs.readFileSync(file, 'utf8'));
  const missing = missingEntries(lock.packages);
  if (process.argv.includes('--mend')) {
    const entries = Object.entries({ ...lock.packages, ...missing });
    lock.packages = Object.fromEntries(entries.sort(([a], [b]) => a.localeCompare(b, 'en')));
    fs.writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
  } else {
    for (const entry of Object.keys(missing)) {
      console.error(`package-lock.json: no ${entry} (node scripts/check-lock.js --mend adds it)`);
    }
    const resolved = Object.entries(/** @type {Record<string, Package>} */ (lock.packages)).filter(
      ([, { resolved }]) => resolved !== undefined,
    );
    for (const [entry] of resolved)
      console.error(`package-lock.json: ${entry} names where it came from (see .npmrc)`);
    process.exitCode = Object.keys(missing).length + resolved.length === 0 ? 0 : 1;
  }
}
