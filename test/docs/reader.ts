/**
 * Somebody who reads a document from top to bottom, in a fresh copy of this checkout, and does what its blocks say. Like
 * people with one terminal for it they have one server at a time: the one that the document told them to start, and
 * where it takes one for granted, `make serve`.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { transform } from 'esbuild';
import { type Run, type Step, startsServer, type Until, type Write } from '../../scripts/docs/blocks.js';
import { isPrinted } from '../../scripts/docs/output.js';

const root = path.join(import.meta.dirname, '..', '..');

/** The port in the documents. Ours is another, so that nothing is disturbed that runs there. */
const PORT = /\b50000\b/g;

/** Seconds; only to end what hangs. */
const limits = { command: 120, start: 120 };

/** As a project of its own would check a program. */
const typeCheck = [
  path.join(root, 'node_modules', 'typescript', 'bin', 'tsc'),
  '--ignoreConfig',
  ...['--strict', '--noEmit', '--skipLibCheck'],
  ...['--module', 'nodenext', '--target', 'es2022', '--types', 'node'],
];

const endings = ['exit', 'disconnect', 'SIGINT', 'SIGTERM', 'SIGHUP'];

interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Python {
  /** The command. */
  readonly python: string;
  readonly env: NodeJS.ProcessEnv;
}

export interface ReaderOptions {
  /** With the packages that the documents import. */
  readonly python?: Python;
  /** Seconds to wait for what a document says will be. */
  readonly patience?: number;
}

export class Reader {
  /** The copy of this checkout. */
  readonly folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'tfjs-serving-docs-')));
  readonly #document: string;
  readonly #patience: number;
  readonly #env: NodeJS.ProcessEnv;
  readonly #port: number;
  /** Whether the document speaks of a server. */
  readonly #takesServer: boolean;
  #server: Server | undefined;
  readonly #running = new Set<ChildProcess>();
  /** Where we end before the document does, as by Ctrl-C, which does not reach the server's group by itself. */
  readonly #abandon = (event: unknown) => {
    this.#server?.kill();
    for (const child of this.#running) killGroup(child, 'SIGKILL');
    fs.rmSync(this.folder, { recursive: true, force: true });
    // A signal: a listener keeps it from ending us, and the next test must not begin.
    if (typeof event === 'string') process.kill(process.pid, 'SIGKILL');
  };

  private constructor(
    document: string,
    steps: readonly Step[],
    port: number,
    { python, patience = 60 }: ReaderOptions,
  ) {
    this.#document = document;
    this.#takesServer = steps.some(({ text }) => text.search(PORT) >= 0);
    this.#port = port;
    this.#patience = patience;
    this.#env = environment(this.folder, port, python);
    for (const event of endings) process.on(event, this.#abandon);
  }

  /**
   * @param document its name, for messages
   * @param steps all that it has
   */
  static async begin(document: string, steps: readonly Step[], options: ReaderOptions = {}): Promise<Reader> {
    const reader = new Reader(document, steps, await freePort(), options);
    copyCheckout(reader.folder);
    return reader;
  }

  /** Does what a block says. Throws, with file and line, where that fails or prints something else. */
  async follow(step: Step): Promise<void> {
    if (this.#takesServer && this.#server === undefined && !startsServer(step.text))
      await this.#serve(step, 'make serve');
    if (step.kind === 'write') this.#write(step.file, this.#said(step.text, step.with));
    else if (step.kind === 'until') await this.#until(step);
    else await this.#run(step);
  }

  /** Ends the server and deletes the copy. */
  async end(): Promise<void> {
    await this.#server?.stop();
    fs.rmSync(this.folder, { recursive: true, force: true });
    for (const event of endings) process.off(event, this.#abandon);
  }

  async #run(step: Run): Promise<void> {
    if (step.first !== null) {
      const { code, stdout, stderr } = await this.#sh(step.first);
      if (code !== 0) this.#fail(step, `what comes first ended with ${code}`, stdout + stderr);
    }
    const text = this.#said(step.text, step.with);
    if (step.language === 'sh' && startsServer(text)) {
      await this.#serve(step, text);
      return;
    }
    const { code, stdout, stderr } = await this.#finish(step, text);
    const { output } = step;
    if (code !== 0) this.#fail(step, `ended with ${code ?? 'a signal'}`, stdout + stderr);
    if (output === null) {
      // curl ends with 0 whatever the answer is.
      if (/"status":\s*"error"/.test(stdout))
        this.#fail(step, 'was answered with an error that the document does not show', stdout);
    } else {
      const expected = this.#said(output.text, step.with);
      if (!isPrinted({ ...output, text: expected }, stdout))
        this.#fail(output, 'the output is another', `${stdout}${stderr}`, expected);
    }
  }

  /** Runs a block to its end. */
  async #finish(step: Run, text: string): Promise<Finished> {
    const { language, file } = step;
    if (file !== null) this.#write(file, text);
    if (language === 'sh') return file === null ? this.#sh(text) : this.#spawn('sh', ['-e', file]);
    if (language === 'python') return this.#spawn('python3', file === null ? ['-c', text] : [file]);
    if (file === null) throw new Error(`a block of ${language} without a file`);
    if (language === 'js') return this.#spawn(process.execPath, [file]);
    const typed = await this.#spawn(process.execPath, [...typeCheck, file]);
    if (typed.code !== 0) return typed;
    // Node 20 does not read TypeScript by itself.
    const compiled = file.replace(/\.ts$/, '.mjs');
    this.#write(compiled, (await transform(text, { loader: 'ts', format: 'esm' })).code);
    return this.#spawn(process.execPath, [compiled]);
  }

  async #until(step: Until): Promise<void> {
    const text = this.#said(step.text);
    const end = Date.now() + this.#patience * 1000;
    for (;;) {
      const { code, stdout, stderr } = await this.#sh(text);
      if (code === 0) return;
      if (Date.now() > end) this.#fail(step, 'did not come true', `${text}\n${stdout}${stderr}`);
      await sleep(200);
    }
  }

  async #serve(where: { line: number }, command: string): Promise<void> {
    await this.#server?.stop();
    const server = new Server(spawn('sh', ['-ec', command], this.#options()));
    this.#server = server;
    const end = Date.now() + limits.start * 1000;
    while (!(await isReady(this.#port))) {
      if (server.ended) this.#fail(where, 'the server ended', server.log);
      if (Date.now() > end) this.#fail(where, 'the server is not ready', server.log);
      await sleep(50);
    }
  }

  /** What the document says, with what a reader would put in its place. */
  #said(text: string, substitutions: Write['with'] = []): string {
    let said = text;
    for (const [from, to] of substitutions) said = said.replaceAll(from, to);
    return said.replace(PORT, String(this.#port));
  }

  #write(file: string, text: string): void {
    const target = path.join(this.folder, file);
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.writeFileSync(target, text);
  }

  #sh(text: string): Promise<Finished> {
    return this.#spawn('sh', ['-ec', text]);
  }

  async #spawn(command: string, args: readonly string[]): Promise<Finished> {
    const child = spawn(command, args, this.#options());
    this.#running.add(child);
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      child[name]?.setEncoding('utf8').on('data', (chunk: string) => {
        output[name] += chunk;
      });
    const timer = setTimeout(() => killGroup(child, 'SIGKILL'), limits.command * 1000);
    try {
      const [code] = await once(child, 'close');
      return { code, ...output };
    } finally {
      clearTimeout(timer);
      this.#running.delete(child);
    }
  }

  #options() {
    // In a group of its own, so that what a shell has started can be ended with it.
    return {
      cwd: this.folder,
      env: this.#env,
      detached: true,
      stdio: ['ignore' as const, 'pipe' as const, 'pipe' as const],
    };
  }

  #fail({ line }: { line: number }, what: string, printed: string, expected?: string): never {
    const wanted = expected === undefined ? '' : `\nthe document:\n${expected.trimEnd()}\nprinted:`;
    throw new Error(`${this.#document}:${line}: ${what}${wanted}\n${printed.trimEnd().slice(0, 4000)}`);
  }
}

class Server {
  log = '';
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.#closed = once(child, 'close');
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        this.log += chunk;
      });
  }

  get ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** As Ctrl-C does in a terminal, to all that the command started. */
  async stop(): Promise<void> {
    killGroup(this.#child, 'SIGTERM');
    const timer = setTimeout(() => this.kill(), 60_000);
    await this.#closed;
    clearTimeout(timer);
  }

  kill(): void {
    killGroup(this.#child, 'SIGKILL');
  }
}

/**
 * All that git would give to somebody, and what was made of it: so that what is dropped into saved_models/, or compiled
 * because it is missing, changes nothing here. Packages are links; nothing in a document touches them.
 */
function copyCheckout(folder: string): void {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  for (const file of execFileSync('git', args, { cwd: root, encoding: 'utf8' }).split('\0')) {
    // Of the tests, only models that a document serves.
    if (file.startsWith('test/') && !file.startsWith('test/operations/models/')) continue;
    const source = path.join(root, file);
    if (file !== '' && fs.existsSync(source)) fs.cpSync(source, path.join(folder, file));
  }
  for (const made of ['dist', 'build/install.json', 'build/tfjs_serving.node', 'build/libtensorflow'])
    fs.cpSync(path.join(root, made), path.join(folder, made), { recursive: true, verbatimSymlinks: true });
  fs.symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
}

function environment(folder: string, port: number, python: Python | undefined): NodeJS.ProcessEnv {
  const foreign = /^(TFJS_SERVING_(?!CACHE$).*|VITEST.*|NODE_ENV|MAKEFLAGS|MAKELEVEL)$/;
  const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
  const programs = [path.dirname(process.execPath), own['PATH']];
  if (python !== undefined && path.isAbsolute(python.python)) programs.unshift(path.dirname(python.python));
  const client = path.join(folder, 'clients', 'python', 'src');
  return {
    ...own,
    PATH: programs.join(path.delimiter),
    PYTHONPATH: [client, python?.env['PYTHONPATH']].filter(Boolean).join(path.delimiter),
    TFJS_SERVING_PORT: String(port),
    // What npx runs must be here.
    npm_config_offline: 'true',
    npm_config_update_notifier: 'false',
  };
}

async function freePort(): Promise<number> {
  const probe = net.createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as net.AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

async function isReady(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/health/ready`)).ok;
  } catch {
    return false;
  }
}

function killGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {} // it has ended by itself
}
