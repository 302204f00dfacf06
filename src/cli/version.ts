import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** The versions of this server, of TensorFlow.js and of Node, without loading any of them. */
export function versions(): string {
  const own: { version: string } = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  );
  const tfjs: { version: string } = createRequire(import.meta.url)('@tensorflow/tfjs-node-gpu/package.json');
  return `tfjs-serving ${own.version}, TensorFlow.js ${tfjs.version}, Node ${process.versions.node}\n`;
}
