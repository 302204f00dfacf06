/**
 * `node scripts/check-warnings.js` compiles native/ with the flags of the install step and with warnings as errors, and
 * keeps nothing. (The addon itself may come from the cache, where another compiler made it.)
 */
import path from 'node:path';

import { findCompiler } from './install/compiler.js';
import { filesBelow } from './install/digest.js';
import { layoutOf } from './install/layout.js';
import { addonTarget, includeFlags } from './install/native-flags.js';
import { run } from './test/run.js';

const layout = layoutOf(path.join(import.meta.dirname, '..'), process.env);
const target = addonTarget(layout);
const [command = 'c++', ...args] = findCompiler(process.env)?.command ?? [];
const includes = includeFlags(target, path.join(layout.libtensorflow, 'include'), layout);
const sources = filesBelow(target.sources, ['.cc']).map((file) => path.join(target.sources, file));

const clean = await run(command, [...args, ...target.flags, ...includes, '-fsyntax-only', ...sources]);
process.exitCode = clean ? 0 : 1;
