import path from 'node:path';

/**
 * The one list of what the two native parts are compiled with. N-API version 8 is in every Node since 12.22 and is the
 * newest that tfjs-node-gpu looks for, so one binary serves all Node versions.
 *
 * @typedef {object} NativeTarget
 * @property {string} name      in messages, logs and the cache
 * @property {string} sources   folder of the .cc and .h files
 * @property {string} output    the .node file
 * @property {string} runPath   from the output's folder to the libraries
 * @property {string[]} flags   for each source, without paths
 * @property {string[]} packages npm packages whose headers it includes, with the folder in them
 */

const COMMON = ['-std=c++17', '-O2', '-fPIC', '-pthread', '-DNAPI_VERSION=8'];

/** Our sources must compile without warnings. Upstream's sources are left as they are. */
const STRICT = ['-Wall', '-Wextra', '-Wpedantic', '-Wshadow', '-Wconversion', '-Werror'];

/**
 * Upstream's binding, compiled from its unchanged sources to the place where tfjs-node-gpu looks for it.
 *
 * @param {import('./layout.js').Layout} layout
 * @returns {NativeTarget}
 */
export function bindingTarget(layout) {
  const folder = layout.packageFolder('@tensorflow/tfjs-node-gpu');
  return {
    name: 'tfjs_binding',
    sources: path.join(folder, 'binding'),
    output: path.join(folder, 'lib', 'napi-v8', 'tfjs_binding.node'),
    runPath: '../../deps/lib',
    flags: COMMON,
    packages: ['node-api-headers'],
  };
}

/**
 * Our own addon.
 *
 * @param {import('./layout.js').Layout} layout
 * @returns {NativeTarget}
 */
export function addonTarget(layout) {
  return {
    name: 'tfjs_serving',
    sources: path.join(layout.root, 'native'),
    output: layout.addon,
    runPath: 'libtensorflow/lib',
    flags: [...COMMON, '-fvisibility=hidden', '-DNODE_ADDON_API_CPP_EXCEPTIONS', ...STRICT],
    packages: ['node-api-headers', 'node-addon-api'],
  };
}

/**
 * The flags for headers that are not ours. Their warnings do not count.
 *
 * @param {NativeTarget} target
 * @param {string} includeFolder of TensorFlow
 * @param {import('./layout.js').Layout} layout
 */
export function includeFlags({ packages }, includeFolder, layout) {
  const folders = packages.map((name) =>
    name === 'node-api-headers'
      ? path.join(layout.packageFolder(name), 'include')
      : layout.packageFolder(name),
  );
  return [includeFolder, ...folders].flatMap((folder) => ['-isystem', folder]);
}

/**
 * The flags for linking. Node's own functions stay undefined, because the process that loads the addon has them.
 *
 * @param {NativeTarget} target
 * @param {import('./libtensorflow.js').Libtensorflow} library
 * @param {string} platform
 */
export function linkFlags({ runPath }, { libFolder, libraries }, platform) {
  if (platform === 'darwin') {
    const files = libraries.map((name) => path.join(libFolder, name));
    return ['-bundle', '-undefined', 'dynamic_lookup', ...files, `-Wl,-rpath,@loader_path/${runPath}`];
  }
  const names = libraries.map((name) => `-l:${name}`);
  return ['-shared', '-pthread', `-L${libFolder}`, ...names, `-Wl,-rpath,$ORIGIN/${runPath}`];
}
