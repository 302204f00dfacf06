import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const KEPT_OUTPUT = 64 * 1024;
const GRACE_MS = 2_000;

/**
 * @typedef {object} CommandResult
 * @property {number | null} code  null where the command does not exist
 * @property {string} output       the last part of what it printed, both streams together
 */

/**
 * Runs a command to its end and keeps what it prints in a log file. The command has a process group of its own, which
 * is ended as a whole when the signal aborts: a compiler driver or npm would leave its children behind.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {object} options
 * @param {NodeJS.ProcessEnv} options.env
 * @param {AbortSignal} options.signal
 * @param {string} [options.cwd]
 * @param {string} [options.log]    appended to
 * @param {string} [options.input]  for its standard input
 * @returns {Promise<CommandResult>}
 * @throws the signal's reason, when aborted
 */
export function run(command, args, { env, signal, cwd, log, input }) {
  signal.throwIfAborted();
  const file = log === undefined ? undefined : openLog(log, [command, ...args]);
  return new Promise((resolve, reject) => {
    /** @type {Buffer[]} */
    const chunks = [];
    let kept = 0;
    const child = spawn(command, args, { env, cwd, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });

    /** @param {Buffer} chunk */
    const onOutput = (chunk) => {
      chunks.push(chunk);
      kept += chunk.length;
      while (kept - (chunks[0]?.length ?? 0) > KEPT_OUTPUT) kept -= chunks.shift()?.length ?? 0;
      try {
        if (file !== undefined) fs.writeSync(file, chunk);
      } catch {} // A full disk, which the command meets as well and is judged by.
    };
    /** @param {'SIGTERM' | 'SIGKILL'} name */
    const kill = (name) => {
      // If the group has just ended by itself, it is gone.
      try {
        if (child.pid !== undefined) process.kill(-child.pid, name);
      } catch {}
    };
    /** @type {NodeJS.Timeout | undefined} */
    let patience;
    const onAbort = () => {
      kill('SIGTERM');
      // npm tries for minutes to reach its registry.
      patience = setTimeout(kill, GRACE_MS, 'SIGKILL');
    };
    const finish = () => {
      clearTimeout(patience);
      signal.removeEventListener('abort', onAbort);
      if (file !== undefined) fs.closeSync(file);
    };

    signal.addEventListener('abort', onAbort, { once: true });
    child.stdout.on('data', onOutput);
    child.stderr.on('data', onOutput);
    child.stdin.on('error', () => {}); // it may end before it has read everything
    child.stdin.end(input);
    // A command that cannot be started emits an error, and then closes like any other.
    let started = true;
    child.on('error', (/** @type {NodeJS.ErrnoException} */ error) => {
      started = false;
      finish();
      if (error.code === 'ENOENT') resolve({ code: null, output: '' });
      else reject(error);
    });
    child.on('close', (code) => {
      if (!started) return;
      finish();
      if (signal.aborted) reject(signal.reason);
      else resolve({ code: code ?? 1, output: Buffer.concat(chunks).toString() });
    });
  });
}

/**
 * @param {string} log
 * @param {readonly string[]} commandLine
 */
function openLog(log, commandLine) {
  fs.mkdirSync(path.dirname(log), { recursive: true });
  const file = fs.openSync(log, 'a');
  fs.writeSync(file, `$ ${commandLine.join(' ')}\n`);
  return file;
}
