/**
 * `node scripts/check-client.js` checks that the client is fit for browsers: it compiles without Node's types, bundles
 * without Node's modules or any package, and is not too large. It prints the size, and exits with 1 if anything fails.
 */
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

import { run } from './test/run.js';

const root = path.join(import.meta.dirname, '..');

/** The most bytes, minified and compressed. */
const MOST = 15_000;

/**
 * Bundles the client into one minified ECMAScript module.
 * @returns {Promise<Uint8Array>}
 */
export async function bundleClient() {
  const { outputFiles } = await build({
    entryPoints: [path.join(root, 'src', 'client', 'index.ts')],
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    write: false,
  });
  const [bundle] = outputFiles;
  if (!bundle) throw new Error('esbuild made no bundle');
  return bundle.contents;
}

if (process.argv[1] === import.meta.filename) {
  const compiles = await run(
    process.execPath,
    ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.client.json'],
    { cwd: root },
  );
  const bundle = await bundleClient();
  const compressed = gzipSync(bundle, { level: 9 }).length;
  console.log(`the client: ${bundle.length} bytes minified, ${compressed} gzipped, of ${MOST}`);
  process.exitCode = compiles && compressed <= MOST ? 0 : 1;
}
