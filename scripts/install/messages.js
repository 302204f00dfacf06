import fs from 'node:fs';
import path from 'node:path';

import { run } from './command.js';
import { filesBelow } from './digest.js';
import { InstallFailure } from './failure.js';

/**
 * The folder of the `.proto` files in the checkout. The code made from them is in a folder of the same name in dist/.
 */
const FOLDER = 'proto';

/** The flags for a module with types that only decodes or encodes messages. */
const MODULE = [
  ...['-t', 'static-module', '-w', 'esm', '--dts', '--no-create', '--no-verify', '--no-convert'],
  ...['--no-delimited', '--no-typeurl', '--no-service'],
];

/**
 * The files that are made, and their `.proto` files. The server never writes a message that it reads, nor reads one
 * that it writes. Each module has its own root (`-r`), because protobufjs keeps one table of roots for the process.
 */
const BUNDLES = [
  {
    file: 'decoders.js',
    of: ['operations', 'signature', 'struct', 'tensor', 'trace', 'warmup'],
    args: [...MODULE, '-r', 'decoders', '--no-encode', '--force-message', '--force-long'],
  },
  { file: 'encoders.js', of: ['config'], args: [...MODULE, '-r', 'encoders', '--no-decode'] },
  // The parser of protobuf's text format takes a description, and not code.
  { file: 'saved-model.json', of: ['saved-model'], args: ['-t', 'json'] },
];

/** The files that are made, relative to dist/. */
export const MESSAGE_FILES = BUNDLES.map(({ file }) => `${FOLDER}/${file}`);

/** The `.proto` files, relative to the checkout. @param {import('./layout.js').Layout} layout */
export function protoFiles({ root }) {
  return filesBelow(path.join(root, FOLDER), ['.proto']).map((file) => `${FOLDER}/${file}`);
}

/**
 * Makes code that decodes and encodes the messages of proto/, with protobufjs.
 *
 * @param {import('./context.js').Context} context
 * @throws {InstallFailure} with what is wrong in a `.proto` file
 */
export async function generateMessages({ host, layout, signal }) {
  if (protoFiles(layout).length === 0) return;
  const pbjs = path.join(layout.packageFolder('protobufjs-cli'), 'bin', 'pbjs');
  const target = path.join(layout.root, 'dist', FOLDER);
  fs.mkdirSync(target, { recursive: true });
  const runs = BUNDLES.map(async ({ file, of, args }) => {
    const sources = of.map((name) => `${FOLDER}/${name}.proto`);
    const made = path.join(target, file);
    const { code, output } = await run(process.execPath, [pbjs, ...args, '-o', made, ...sources], {
      env: host.env,
      cwd: layout.root,
      signal,
      log: path.join(layout.logs, 'pbjs.log'),
    });
    if (code !== 0) throw new InstallFailure(`${sources.join(', ')} cannot be read:\n${output.trim()}`);
    await compact(made);
  });
  await Promise.all(runs);
}

/** @param {string} made a file that pbjs wrote; beside a module is one of its types */
async function compact(made) {
  if (made.endsWith('.json')) return rewrite(made, (text) => JSON.stringify(JSON.parse(text)));
  const { transform } = await import('esbuild');
  await rewrite(made, async (text) => (await transform(text, { minifyWhitespace: true })).code);
  await rewrite(made.replace(/\.js$/, '.d.ts'), compactTypes);
}

/**
 * Removes comments and indentation, and the import of `long`, which this package does not depend on.
 *
 * @param {string} text
 */
function compactTypes(text) {
  return text
    .replace(/\/\*\*[\s\S]*?\*\//g, '')
    .replace(/^\s+/gm, '')
    .replace(/^import Long = .*$/m, "type Long = ReturnType<$protobuf.Reader['int64']>;");
}

/**
 * @param {string} file
 * @param {(text: string) => string | Promise<string>} change
 */
async function rewrite(file, change) {
  fs.writeFileSync(file, await change(fs.readFileSync(file, 'utf8')));
}
