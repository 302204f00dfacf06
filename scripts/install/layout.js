import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';

/**
 * Where everything is. The same install step runs in a checkout and in the package as npm installed it, where the
 * packages it depends on may lie in a `node_modules` further up: they are found the way Node finds them.
 *
 * @typedef {object} Layout
 * @property {string} root      the folder with package.json
 * @property {string} cache     shared by all checkouts of this user
 * @property {string} build     what is made for this checkout alone
 * @property {string} logs      what pip, npm and the compiler printed
 * @property {string} stamps    which steps are done
 * @property {string} libtensorflow  a folder with lib/ and include/, links into the cache
 * @property {string} addon     our native part
 * @property {(name: string) => string} packageFolder  the folder of an npm package
 */

/**
 * @param {string} root
 * @param {NodeJS.ProcessEnv} env
 * @returns {Layout}
 */
export function layoutOf(root, env) {
  const build = path.join(root, 'build');
  return {
    root,
    cache: cacheFolder(env),
    build,
    logs: path.join(build, 'logs'),
    stamps: path.join(build, 'install.json'),
    libtensorflow: path.join(build, 'libtensorflow'),
    addon: path.join(build, 'tfjs_serving.node'),
    packageFolder: (name) =>
      path.dirname(createRequire(path.join(root, 'package.json')).resolve(`${name}/package.json`)),
  };
}

/** @param {NodeJS.ProcessEnv} env */
function cacheFolder(env) {
  if (env['TFJS_SERVING_CACHE']) return path.resolve(env['TFJS_SERVING_CACHE']);
  return path.join(env['XDG_CACHE_HOME'] || path.join(env['HOME'] || os.homedir(), '.cache'), 'tfjs-serving');
}
