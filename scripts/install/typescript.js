import fs from 'node:fs';
import path from 'node:path';

import { run } from './command.js';
import { contentsOf, digest, filesBelow } from './digest.js';
import { InstallFailure } from './failure.js';

const STEP = 'dist';

/**
 * Whether dist/ is compiled from src/ as it is. True as well in the package as npm installed it, which has no src/.
 *
 * @param {import('./context.js').Context} context
 */
export function distIsCurrent({ layout, stamps }) {
  const sources = sourcesOf(layout);
  return (
    sources.length === 0 ||
    (stamps.key(STEP) === keyOf(layout, sources) &&
      sources.every((source) => fs.existsSync(path.join(layout.root, 'dist', source.replace(/ts$/, 'js')))))
  );
}

/**
 * @param {import('./context.js').Context} context
 * @throws {InstallFailure} with what the compiler found
 */
export async function compileTypeScript({ host, layout, progress, signal, stamps }) {
  const sources = sourcesOf(layout);
  const key = keyOf(layout, sources);
  await progress.step(STEP, async () => {
    const tsc = path.join(layout.packageFolder('typescript'), 'bin', 'tsc');
    const { code, output } = await run(process.execPath, [tsc, '-p', 'tsconfig.json'], {
      env: host.env,
      cwd: layout.root,
      signal,
      log: path.join(layout.logs, 'tsc.log'),
    });
    if (code !== 0) throw new InstallFailure(`src/ does not compile:\n${output.trim()}`);
    removeOrphans(path.join(layout.root, 'dist'), sources);
    const main = path.join(layout.root, 'dist', 'main.js');
    if (fs.existsSync(main)) fs.chmodSync(main, 0o755);
    stamps.setKey(STEP, key);
  });
}

/** @param {import('./layout.js').Layout} layout */
function sourcesOf(layout) {
  return filesBelow(path.join(layout.root, 'src'), ['.ts']).filter((file) => !file.endsWith('.d.ts'));
}

/**
 * @param {import('./layout.js').Layout} layout
 * @param {readonly string[]} sources
 */
function keyOf({ root }, sources) {
  const settings = ['tsconfig.json', 'package.json'].filter((file) => fs.existsSync(path.join(root, file)));
  return digest([...contentsOf(root, settings), ...contentsOf(path.join(root, 'src'), sources)]);
}

/**
 * Deletes what was compiled from sources that are gone.
 * @param {string} dist
 * @param {readonly string[]} sources
 */
function removeOrphans(dist, sources) {
  const stems = new Set(sources.map((source) => source.replace(/\.ts$/, '')));
  for (const file of filesBelow(dist, ['.js', '.js.map', '.d.ts'])) {
    if (!stems.has(file.replace(/\.(js|js\.map|d\.ts)$/, ''))) fs.rmSync(path.join(dist, file));
  }
}
