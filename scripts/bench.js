/**
 * `node scripts/bench.js NAME [ARGUMENTS]`: runs bench/NAME.ts over the models of bench/make_models.py.
 *
 * The models are made once, with Python TensorFlow in an environment of its own, and kept in the cache. The servers
 * that bench/peers.ts compares are installed first. bench/clients.py runs after bench/clients.ts.
 */
import fs from 'node:fs';
import path from 'node:path';

import { peerEnvironments } from './bench/peer-environments.js';
import { layoutOf } from './install/layout.js';
import { pythonEnvironment } from './test/python-environment.js';
import { run } from './test/run.js';
import { withServer } from './test/server-process.js';

const layout = layoutOf(path.join(import.meta.dirname, '..'), process.env);
const models = path.join(layout.cache, 'bench-models');
const [name, ...args] = process.argv.slice(2);

/** @param {import('./bench/peer-environments.js').Python} python */
function makeModels({ python, env }) {
  const large = name === 'reload-memory' ? ['--large'] : [];
  return run(python, ['bench/make_models.py', '--out', models, ...large], { env });
}

/**
 * @param {import('./bench/peer-environments.js').Python} client
 * @returns {Promise<string[]>} arguments
 */
async function preparePeers(client) {
  const file = path.join(layout.build, 'peers.json');
  fs.writeFileSync(file, JSON.stringify(await peerEnvironments(layout, client, args)));
  return ['--environments', file];
}

/** Runs the Python part of `clients`: the Python client beside bare calls. */
async function pythonClient() {
  const environment = await pythonEnvironment('test/python/requirements.txt', layout.cache);
  if (environment === null) return false;
  const source = path.join(layout.root, 'clients', 'python', 'src');
  const packages = [source, environment.env['PYTHONPATH']].filter(Boolean).join(path.delimiter);
  return withServer('saved_models', (url) =>
    run(environment.python, ['bench/clients.py', url], { env: { PYTHONPATH: packages } }),
  );
}

process.chdir(layout.root);
const python = await pythonEnvironment('scripts/make_models.requirements.txt', layout.cache);
const done =
  python !== null &&
  (await makeModels(python)) &&
  (await run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.bench.json'])) &&
  (await run(process.execPath, [
    `build/bench/${name}.js`,
    models,
    ...(name === 'peers' ? await preparePeers(python) : []),
    ...args,
  ])) &&
  (name !== 'clients' || (await pythonClient()));
process.exitCode = done ? 0 : 1;
