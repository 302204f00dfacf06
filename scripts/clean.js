/**
 * `node scripts/clean.js [--all]`: deletes what was compiled here; with --all also node_modules and what the cache
 * keeps for every checkout of this user. Of the cache only what the scripts put there is deleted, as TFJS_SERVING_CACHE
 * may name a folder that holds other things.
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
