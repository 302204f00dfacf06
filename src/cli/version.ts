import { createRequire } from 'node:module';
import { packageVersion } from '../files/package-version.js';

/** The versions of this server, of TensorFlow.js and of Node. It loads none of them. */
export function versions(): string {
  const tfjs: { version: string } = createRequire(import.meta.url)('@tensorflow/tfjs-node-gpu/package.json');
  return `tfjs-serving ${packageVersion()}, TensorFlow.js ${tfjs.version}, Node ${process.versions.node}\n`;
}
