import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import readline from 'node:readline';

const MAIN = path.join(import.meta.dirname, '..', '..', 'dist', 'main.js');

/**
 * Runs a server on a free port while a task runs.
 *
 * @template T
 * @param {string} modelPath
 * @param {(url: string) => Promise<T>} task
 * @param {{ node?: string }} [options]
 * @returns {Promise<T>}
 * @throws if the server ends before it is ready, or does not end with 0 when told to stop
 */
export async function withServer(modelPath, task, { node = process.execPath } = {}) {
  const child = spawn(node, [MAIN, 'serve', '--model-path', modelPath, '--port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const killWithUs = () => child.kill('SIGKILL');
  process.once('exit', killWithUs);
  try {
    const result = await task(await readyAddress(child));
    child.kill('SIGTERM');
    const [code, signal] = await ended;
    if (code !== 0)
      throw new Error(`the server for ${modelPath} ended with ${code ?? signal} when told to stop`);
    return result;
  } finally {
    child.kill('SIGKILL');
    process.off('exit', killWithUs);
  }
}

/**
 * @param {import('node:child_process').ChildProcessByStdio<null, import('node:stream').Readable, null>} child
 * @returns {Promise<string>} the address in the line that says the server is ready
 */
function readyAddress(child) {
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`the server ended with ${code} before it was ready`)));
    readline.createInterface({ input: child.stdout }).on('line', (line) => {
      const address = /serving on (http:\/\/[^\s]+:\d+)/.exec(line)?.[1];
      if (address !== undefined) resolve(address);
    });
  });
}
