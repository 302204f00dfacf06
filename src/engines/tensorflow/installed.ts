/** Checks whether the install step has run. Every start asks, so it looks only at a few files. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RuntimeKind } from './runtime.js';

/** How to get what is missing, in a checkout and in an installed package. */
export const howToInstall = 'run `npx tfjs-serving install`';

const build = fileURLToPath(new URL('../../../build', import.meta.url));

/** Our addon, which the install step compiles. */
export const addonFile = path.join(build, 'tfjs_serving.node');

/**
 * The files and folders that a runtime needs and that are missing. The folders are links into a cache, which somebody
 * may have emptied.
 */
export function missingParts(kind: RuntimeKind): string[] {
  const upstream = path.dirname(
    createRequire(import.meta.url).resolve('@tensorflow/tfjs-node-gpu/package.json'),
  );
  const parts = [
    path.join(upstream, 'lib', 'napi-v8', 'tfjs_binding.node'),
    path.join(upstream, 'deps', 'lib'),
  ];
  // The native runtime also loads upstream's binding, for tf.js.
  if (kind === 'native') parts.push(addonFile, path.join(build, 'libtensorflow', 'lib'));
  return parts.filter((part) => !existsSync(part));
}
