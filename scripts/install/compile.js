import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { run } from './command.js';
import { findCompiler } from './compiler.js';
import { contentsOf, digest, filesBelow } from './digest.js';
import { DiskFull, explainFailure, InstallFailure } from './failure.js';
import { includeFlags, linkFlags } from './native-flags.js';
import { Slots } from './slots.js';

/** All targets share these, so that compiling two side by side does not use the machine twice. */
const slots = new Slots(Math.min(8, os.availableParallelism()));

/** The compiler exists, and did not accept the sources. */
export class CompileFailure extends InstallFailure {}

/**
 * The key of a target. The first part is for its sources, headers, flags and TensorFlow, and the second for the
 * compiler. (If the compiler is gone, what it made is still good.)
 *
 * @param {import('./native-flags.js').NativeTarget} target
 * @param {import('./libtensorflow.js').Libtensorflow} library
 * @param {import('./context.js').Context} context
 */
export function keyOf(target, library, { host, layout }) {
  const versions = target.packages.map((name) =>
    fs.readFileSync(path.join(layout.packageFolder(name), 'package.json')),
  );
  const flags = [...target.flags, target.runPath, ...library.libraries];
  const sources = filesBelow(target.sources, ['.cc', '.h']);
  const key = digest([
    host.platform,
    host.arch,
    library.id,
    ...flags,
    ...versions,
    ...contentsOf(target.sources, sources),
  ]);
  const compiler = findCompiler(host.env);
  return compiler === null ? key : `${key}-${digest([compiler.identity]).slice(0, 8)}`;
}

/**
 * @param {import('./native-flags.js').NativeTarget} target
 * @param {import('./libtensorflow.js').Libtensorflow} library
 * @param {import('./context.js').Context} context
 */
export function isCompiled(target, library, context) {
  if (!fs.existsSync(target.output)) return false;
  const key = keyOf(target, library, context);
  const stamp = context.stamps.key(target.name);
  return stamp === key || (!key.includes('-') && stamp?.startsWith(key) === true);
}

/**
 * Compiles a target, or copies what was compiled from the same sources before, in any checkout.
 *
 * @param {import('./native-flags.js').NativeTarget} target
 * @param {import('./libtensorflow.js').Libtensorflow} library
 * @param {import('./compiler.js').Compiler} compiler
 * @param {import('./context.js').Context} context
 * @throws {CompileFailure}
 */
export async function compile(target, library, compiler, context) {
  const { layout, progress, stamps } = context;
  const key = keyOf(target, library, context);
  const cached = path.join(layout.cache, 'addons', `${target.name}-${key}.node`);
  await progress.step(target.name, async () => {
    if (fs.existsSync(cached)) progress.say(target.name, 'compiled before, taken from the cache');
    else await build(target, library, compiler, cached, context);
    putInPlace(cached, target.output);
    stamps.setKey(target.name, key);
  });
}

/**
 * @param {import('./native-flags.js').NativeTarget} target
 * @param {import('./libtensorflow.js').Libtensorflow} library
 * @param {import('./compiler.js').Compiler} compiler
 * @param {string} result
 * @param {import('./context.js').Context} context
 */
async function build(target, library, compiler, result, { host, layout, progress, signal }) {
  const [command = '', ...first] = compiler.command;
  const log = path.join(layout.logs, `${target.name}.log`);
  fs.rmSync(log, { force: true });
  fs.mkdirSync(layout.build, { recursive: true });
  const folder = fs.mkdtempSync(path.join(layout.build, `${target.name}.tmp-`));
  try {
    /** @param {string[]} args */
    const invoke = async (args) => {
      // The temporary files of a compiler are large, too.
      const env = { ...host.env, TMPDIR: folder };
      const { code, output } = await slots.use(() => run(command, [...first, ...args], { env, signal, log }));
      if (code === 0) return;
      const failure = explainFailure({ what: `${target.name} could not be compiled`, output, log, folder });
      throw failure instanceof DiskFull ? failure : new CompileFailure(failure.message);
    };
    const sources = filesBelow(target.sources, ['.cc']);
    const includes = includeFlags(target, library.includeFolder, layout);
    const objects = sources.map((source) => path.join(folder, `${source.replaceAll('/', '-')}.o`));
    progress.say(target.name, `compiling ${sources.length} files`);
    await Promise.all(
      sources.map((source, i) =>
        invoke([
          ...target.flags,
          ...includes,
          '-c',
          path.join(target.sources, source),
          '-o',
          objects[i] ?? '',
        ]),
      ),
    );
    const linked = path.join(folder, 'linked.node');
    await invoke([...objects, '-o', linked, ...linkFlags(target, library, host.platform)]);
    putInPlace(linked, result);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Copies under a temporary name and renames, so that a server which has loaded the old file keeps it.
 * @param {string} from
 * @param {string} to
 */
function putInPlace(from, to) {
  fs.mkdirSync(path.dirname(to), { recursive: true });
  const temporary = `${to}.${process.pid}`;
  fs.copyFileSync(from, temporary);
  fs.renameSync(temporary, to);
}
