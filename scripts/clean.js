/**
 * `node scripts/clean.js [--all]` deletes what was compiled in this checkout. --all also deletes node_modules, and the
 * files in the cache that all checkouts of this user share. Only files that the scripts made are deleted there, because
 * TFJS_SERVING_CACHE may name a folder with other things.
 */
import fs from 'node:fs';
import path from 'node:path';

import { layoutOf } from './install/layout.js';

const CACHED = /^(addons|downloads|nodes|python|libtensorflow-.+)$/;

const { root, cache } = layoutOf(path.join(import.meta.dirname, '..'), process.env);
const folders = ['build', 'dist', 'coverage'].map((name) => path.join(root, name));
if (process.argv.includes('--all')) {
  folders.push(path.join(root, 'node_modules'));
  if (fs.existsSync(cache)) {
    folders.push(
      ...fs
        .readdirSync(cache)
        .filter((name) => CACHED.test(name))
        .map((name) => path.join(cache, name)),
    );
  }
}
for (const folder of folders) {
  if (!fs.existsSync(folder)) continue;
  console.log(`deleting ${folder}`);
  fs.rmSync(folder, { recursive: true });
}
