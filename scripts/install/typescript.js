import fs from 'node:fs';
import path from 'node:path';

import { run } from './command.js';
import { contentsOf, digest, filesBelow } from './digest.js';
import { InstallFailure } from './failure.js';
import { generateMessages, MESSAGE_FILES, protoFiles } from './messages.js';

const STEP = 'dist';

/**
 * True if dist/ was made from the present src/ and proto/. It is also true in an installed package, which has no src/.
 *
 * @param {import('./context.js').Context} context
 */
export function distIsCurrent({ layout, stamps }) {
  const sources = sourcesOf(layout);
  if (sources.length === 0) return true;
  const messages = protoFiles(layout).length > 0 ? MESSAGE_FILES : [];
  const made = [...sources.map((source) => source.replace(/ts$/, 'js')), ...messages];
  return (
    stamps.key(STEP) === keyOf(layout, sources) &&
    made.every((file) => fs.existsSync(path.join(layout.root, 'dist', file)))
  );
}

/**
 * @param {import('./context.js').Context} context
 * @throws {InstallFailure} with what the compiler found
 */
export async function compileTypeScript(context) {
  const { host, layout, progress, signal, stamps } = context;
  const sources = sourcesOf(layout);
  const key = keyOf(layout, sources);
  await progress.step(STEP, async () => {
    await generateMessages(context);
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
function keyOf(layout, sources) {
  const { root } = layout;
  const settings = ['tsconfig.json', 'package.json', 'scripts/install/messages.js'].filter((file) =>
    fs.existsSync(path.join(root, file)),
  );
  return digest([
    ...contentsOf(root, [...settings, ...protoFiles(layout)]),
    ...contentsOf(path.join(root, 'src'), sources),
  ]);
}

/**
 * Deletes what was compiled from sources that are gone.
 * @param {string} dist
 * @param {readonly string[]} sources
 */
function removeOrphans(dist, sources) {
  const stems = new Set(sources.map((source) => source.replace(/\.ts$/, '')));
  for (const file of filesBelow(dist, ['.js', '.js.map', '.d.ts'])) {
    if (file.startsWith('proto/')) continue; // not made of src/
    if (!stems.has(file.replace(/\.(js|js\.map|d\.ts)$/, ''))) fs.rmSync(path.join(dist, file));
  }
}
