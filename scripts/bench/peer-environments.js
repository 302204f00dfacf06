import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { findExecutable } from '../install/host.js';
import { pythonEnvironment } from '../test/python-environment.js';
import { run } from '../test/run.js';

/**
 * What the rivals of bench/peers.ts need, found or made: Python environments in the cache, and Triton with its backend.
 * What cannot be had is missing, and says why.
 *
 * @typedef {{ missing: string }} Missing
 * @typedef {{ python: string, env: NodeJS.ProcessEnv }} Python
 * @typedef {{ tritonserver: string, backends: string }} Triton
 * @typedef {{ client: Python, python: Python | Missing, kserve: Python | Missing, triton: Triton | Missing }} Environments
 */

/**
 * @param {import('../install/layout.js').Layout} layout
 * @param {Python} client the environment that makes the models; it also speaks to the rivals
 * @param {readonly string[]} args of the benchmark: what its `--peers` leave out is not installed
 * @returns {Promise<Environments>}
 */
export async function peerEnvironments(layout, client, args) {
  const options = /** @type {const} */ ({ peers: { type: 'string', default: 'flask,kserve,triton' } });
  const { values } = parseArgs({ args: [...args], options, strict: false });
  const peers = String(values.peers).split(',');
  const unasked = { missing: 'it was not asked for' };
  return {
    client,
    python: peers.some((peer) => !/^(kserve|triton)/.test(peer))
      ? await environment('python', layout.cache)
      : unasked,
    kserve: peers.some((peer) => peer.startsWith('kserve'))
      ? await environment('kserve', layout.cache)
      : unasked,
    triton: peers.includes('triton') ? await triton(layout) : unasked,
  };
}

/**
 * @param {string} name of bench/peers/NAME.requirements.txt
 * @param {string} cache
 * @returns {Promise<Python | Missing>}
 */
async function environment(name, cache) {
  const requirements = `bench/peers/${name}.requirements.txt`;
  const made = await pythonEnvironment(requirements, cache);
  return made ?? { missing: `pip could not install ${requirements}; what it said is above` };
}

/**
 * Unpacks tritonserver from its wheel, and compiles bench/peers/triton_backend.c against the TensorFlow that this
 * server uses.
 *
 * @param {import('../install/layout.js').Layout} layout
 * @returns {Promise<Triton | Missing>}
 */
async function triton(layout) {
  if (process.platform !== 'linux') return { missing: 'the wheel with tritonserver is for Linux' };
  const made = await environment('triton', layout.cache);
  if ('missing' in made) return made;
  const find = 'import importlib.util as u; print(u.find_spec("pytriton").submodule_search_locations[0])';
  const packageFolder = execFileSync(made.python, ['-c', find], {
    encoding: 'utf8',
    env: { ...process.env, ...made.env },
  }).trim();
  const tritonserver = path.join(packageFolder, 'tritonserver', 'bin', 'tritonserver');
  if (!fs.existsSync(tritonserver)) return { missing: `the wheel has no ${tritonserver}` };
  const backends = path.join(layout.build, 'triton-backends');
  const reason = await compileBackend(layout, path.join(backends, 'savedmodel'));
  if (reason !== null) return { missing: reason };
  return { tritonserver, backends };
}

/**
 * @param {import('../install/layout.js').Layout} layout
 * @param {string} folder named as the backend: that is where Triton looks for it
 * @returns {Promise<string | null>} why not
 */
async function compileBackend({ libtensorflow }, folder) {
  const compiler = ['cc', 'gcc', 'clang'].find((name) => findExecutable(name, process.env));
  if (compiler === undefined) return 'there is no C compiler (cc, gcc or clang)';
  fs.mkdirSync(folder, { recursive: true });
  const lib = path.join(libtensorflow, 'lib');
  const compiled = await run(compiler, [
    ...['-std=c11', '-O2', '-Wall', '-Wextra', '-shared', '-fPIC'],
    ...['-o', path.join(folder, 'libtriton_savedmodel.so'), 'bench/peers/triton_backend.c'],
    ...['-isystem', path.join(libtensorflow, 'include'), `-L${lib}`, `-Wl,-rpath,${lib}`],
    ...['-l:libtensorflow_cc.so.2', '-l:libtensorflow_framework.so.2'],
  ]);
  return compiled ? null : 'bench/peers/triton_backend.c does not compile; what the compiler said is above';
}
