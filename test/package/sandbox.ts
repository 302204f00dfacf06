/**
 * A folder in which somebody installs the package: its own HOME and cache, nothing of this checkout but the packed file.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { until } from '../fixtures/until.ts';

export const root = path.join(import.meta.dirname, '..', '..');

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly input?: string | Uint8Array;
}

export class Sandbox {
  readonly folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'tfjs-serving-package-')));
  /** Where the package is installed. */
  readonly app = path.join(this.folder, 'app');
  readonly installed = path.join(this.app, 'node_modules', 'tfjs-serving');
  readonly cache = path.join(this.folder, 'cache');
  readonly env: NodeJS.ProcessEnv;
  readonly #running = new Set<ChildProcess>();

  constructor() {
    fs.mkdirSync(this.app);
    const foreign = /^(TFJS_SERVING_.*|TENSORFLOW_DIR|npm_config_ignore_scripts)$/;
    const own = Object.entries(process.env).filter(([name]) => !foreign.test(name));
    this.env = {
      ...Object.fromEntries(own),
      HOME: path.join(this.folder, 'home'),
      // How this machine reaches the registries, and what npm has downloaded before.
      XDG_CONFIG_HOME: process.env['XDG_CONFIG_HOME'] ?? path.join(os.homedir(), '.config'),
      npm_config_userconfig: npmSetting('userconfig'),
      npm_config_cache: npmSetting('cache'),
      npm_config_update_notifier: 'false',
      TFJS_SERVING_CACHE: this.cache,
      DEVICE: 'cpu',
    };
  }

  /**
   * Packs the files of this checkout as git would give them to somebody: without dist/, which packing makes.
   *
   * @returns the packed file
   */
  async pack(): Promise<string> {
    const clone = path.join(this.folder, 'clone');
    const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
    for (const file of execFileSync('git', args, { cwd: root, encoding: 'utf8' }).split('\0')) {
      const source = path.join(root, file);
      if (file !== '' && fs.existsSync(source)) fs.cpSync(source, path.join(clone, file));
    }
    // The same packages: only this saves installing them once more.
    fs.symlinkSync(path.join(root, 'node_modules'), path.join(clone, 'node_modules'));
    await this.mustRun('make', ['pack', `ARGS=--pack-destination ${this.folder}`], { cwd: clone });
    const packed = fs.readdirSync(this.folder).find((name) => name.endsWith('.tgz'));
    if (packed === undefined) throw new Error('npm pack made no file');
    return path.join(this.folder, packed);
  }

  /** Into an empty folder, as the README says. */
  async install(packed: string): Promise<void> {
    const args = ['install', '--ignore-scripts', '--omit=dev', '--no-audit', '--no-fund', '--prefer-offline'];
    await this.mustRun('npm', [...args, packed]);
  }

  /** `npx tfjs-serving …`, which must find the program without asking a registry. */
  npx(args: readonly string[], options?: RunOptions): Promise<Finished> {
    return this.run('npx', ['--offline', 'tfjs-serving', ...args], options);
  }

  /** Runs a command to its end. */
  async run(
    command: string,
    args: readonly string[],
    { cwd, input = '' }: RunOptions = {},
  ): Promise<Finished> {
    const child = this.#spawn(command, args, cwd);
    child.stdin?.on('error', () => {}); // it may end before it has read everything
    child.stdin?.end(input);
    const [stdout, stderr, [code]] = await Promise.all([
      buffer(child.stdout as NodeJS.ReadableStream),
      text(child.stderr as NodeJS.ReadableStream),
      once(child, 'close'),
    ]);
    return { code, stdout: stdout.toString('latin1'), stderr };
  }

  async mustRun(command: string, args: readonly string[], options?: RunOptions): Promise<void> {
    const { code, stdout, stderr } = await this.run(command, args, options);
    if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${stdout}${stderr}`);
  }

  /** The program as npm linked it. */
  get program(): string {
    return path.join(this.app, 'node_modules', '.bin', 'tfjs-serving');
  }

  /** Starts a server, by npx or by the link itself, and returns at once. */
  serve(by: 'npx' | 'link', args: readonly string[] = []): RunningServer {
    const [command, ...first] = by === 'npx' ? ['npx', '--offline', 'tfjs-serving'] : [this.program];
    return new RunningServer(this.#spawn(command as string, [...first, 'serve', '--port', '0', ...args]));
  }

  /** Temporary files and locks in the cache, which should not outlive an install. */
  leftovers(): string[] {
    if (!fs.existsSync(this.cache)) return [];
    return fs
      .readdirSync(this.cache, { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.tmp-|\.lock$/.test(file));
  }

  /** Ends what still runs, and deletes everything. */
  remove(): void {
    for (const child of this.#running) kill(child, 'SIGKILL');
    fs.rmSync(this.folder, { recursive: true, force: true });
  }

  #spawn(command: string, args: readonly string[], cwd = this.app): ChildProcess {
    // In a group of its own: npx puts a shell between itself and the server, and neither hands on a signal.
    const child = spawn(command, args, { cwd, env: this.env, detached: true });
    this.#running.add(child);
    child.on('close', () => this.#running.delete(child));
    return child;
  }
}

export class RunningServer {
  stdout = '';
  stderr = '';
  readonly #closed: Promise<unknown[]>;

  constructor(readonly child: ChildProcess) {
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      this.stdout += chunk;
    });
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      this.stderr += chunk;
    });
    this.#closed = once(child, 'close');
  }

  /** @returns its address */
  async ready(): Promise<string> {
    const address = () => /serving on (http:\/\/[^\s"]+)/.exec(this.stdout)?.[1];
    await until(() => address() !== undefined || this.child.exitCode !== null, 'the ready line', 300);
    const url = address();
    if (url === undefined) throw new Error(`the server ended:\n${this.stdout}${this.stderr}`);
    return url;
  }

  /**
   * As Ctrl-C does in a terminal, to every process of the group. Resolves when nothing holds its output any more.
   *
   * @returns the exit code of what was started
   */
  async stop(): Promise<number | null> {
    kill(this.child, 'SIGTERM');
    await this.#closed;
    return this.child.exitCode;
  }
}

function kill({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {} // it has ended by itself
}

function npmSetting(name: string): string {
  return execFileSync('npm', ['config', 'get', name], { cwd: os.tmpdir(), encoding: 'utf8' }).trim();
}
