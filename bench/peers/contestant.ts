/**
 * A server in the contest, ours or a rival's: its processes, and how to send it a request.
 *
 * Every server is started once for a model and stays; while another is measured its processes are stopped (SIGSTOP), so
 * that pollers, heartbeats and collectors of one take nothing from the next. Starting them anew for each slice would
 * cost ten seconds a time and measure cold servers.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile } from 'node:fs/promises';
import * as http from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { ProcessTree } from '../process.ts';
import { MeasuredServer } from '../server.ts';
import { type Measured, wrk } from '../wrk.ts';
import type { Environments } from './environments.ts';
import type { Format, Rival, Variant } from './rivals.ts';
import type { ServedModel } from './triton-repository.ts';

/** The CPU seconds per request are those of the whole process tree. */
export interface Slice extends Measured {
  readonly serverCpu: number;
}

/** The answers of a server: the numbers of all outputs, for each of the requests. */
export type Answers = readonly (readonly number[])[];

interface Request {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly bodyFile: string;
}

export interface Setup {
  readonly model: ServedModel;
  readonly environments: Environments;
  /** A folder of its own. */
  readonly scratch: string;
  /** The number of different requests at once whose answers are checked. */
  readonly checked: number;
}

/** The processes that run, so that none outlives this process, however it ends. */
const running = new Set<ProcessTree>();
process.on('exit', () => {
  for (const tree of running) tree.kill();
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));

export class Contestant {
  private constructor(
    readonly title: string,
    readonly settings: string,
    private readonly tree: ProcessTree,
    private readonly end: () => Promise<unknown>,
    private readonly request: Request,
    readonly answers: Answers,
  ) {}

  static async ours(flags: readonly string[], setup: Setup): Promise<Contestant> {
    const modelPath = path.dirname(setup.model.folder);
    const server = await MeasuredServer.start(['--model-path', modelPath, ...flags]);
    const tree = new ProcessTree(server.pid);
    running.add(tree);
    const { request, answers } = await ask(`${server.url}/infer`, 'cbor', setup);
    const settings = flags.length === 0 ? 'as it comes' : flags.join(' ');
    tree.pause();
    return new Contestant('tfjs-serving', settings, tree, () => server.stop(), request, answers);
  }

  /** @throws Error if it does not start, or does not answer */
  static async rival(rival: Rival, variant: Variant, setup: Setup): Promise<Contestant> {
    const port = await freePort();
    await mkdir(setup.scratch, { recursive: true });
    const { command, args, env } = await variant.launch({ ...setup, port });
    const logFile = path.join(setup.scratch, 'log.txt');
    const log = await open(logFile, 'w');
    const child = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', log.fd, log.fd],
      // It has a process group of its own. Ctrl-C reaches only this process, which then ends the others.
      detached: true,
    });
    await log.close();
    const tree = new ProcessTree(child.pid ?? 0);
    running.add(tree);
    const url = `http://127.0.0.1:${port}${rival.path}`;
    const ended = new AbortController();
    child.once('exit', () => ended.abort());
    child.once('error', () => ended.abort());
    try {
      const { request, answers } = await ask(url, rival.format, setup, ended.signal);
      tree.pause();
      return new Contestant(rival.title, variant.settings, tree, () => stop(child), request, answers);
    } catch (error) {
      running.delete(tree);
      tree.kill();
      const what = ended.signal.aborted ? 'it ended' : error instanceof Error ? error.message : String(error);
      throw new Error(`${what}\nIts log is ${logFile}`);
    }
  }

  /** Measures it alone: it runs only meanwhile. */
  async measure(connections: number, seconds: number): Promise<Slice> {
    this.tree.resume();
    // The first answer after a pause is late.
    await post(this.request);
    const before = this.tree.cpuSeconds();
    const measured = await wrk({ ...this.request, connections, seconds });
    const serverCpu = (this.tree.cpuSeconds() - before) / measured.requests;
    await this.rest();
    this.tree.pause();
    return { ...measured, serverCpu };
  }

  mebibytes(): number {
    return this.tree.residentMebibytes();
  }

  async stop(): Promise<void> {
    // It may have children that do not end with it.
    const pids = this.tree.pids().map((pid) => new ProcessTree(pid));
    this.tree.resume();
    await Promise.race([this.end(), delay(10_000, undefined, { ref: false })]);
    for (const tree of pids) tree.kill();
    running.delete(this.tree);
  }

  /**
   * Waits until it has dealt with what wrk left behind, or for three seconds. Otherwise it would do that work in its
   * next slice.
   */
  private async rest(): Promise<void> {
    const step = 0.1;
    for (let waited = 0; waited < 3; waited += step) {
      const before = this.tree.cpuSeconds();
      await delay(step * 1000);
      if (this.tree.cpuSeconds() - before < step / 4) return;
    }
  }
}

/** Sends the requests that every server gets. It waits for the first answer as long as a server may need to start. */
async function ask(
  url: string,
  format: Format,
  { model, environments, scratch, checked }: Setup,
  signal?: AbortSignal,
): Promise<{ request: Request; answers: Answers }> {
  await mkdir(scratch, { recursive: true });
  const bodyFile = path.join(scratch, `body.${format}`);
  const { inputs, outputs } = model.signature;
  const specs = [...inputs.values()].map(({ name, dtype, shape }) => [
    name,
    { dtype, shape: shape?.slice(1) },
  ]);
  const signature = JSON.stringify({ inputs: Object.fromEntries(specs), outputs: [...outputs.keys()] });
  const { python, env } = environments.client;
  const { stdout } = await promisify(execFile)(
    python,
    [
      ...['bench/peers/client.py', url, '--format', format, '--signature', signature],
      ...['--count', String(checked), '--body', bodyFile],
    ],
    { env: { ...process.env, ...env }, maxBuffer: 1 << 28, ...(signal && { signal }) },
  );
  const { headers, answers } = JSON.parse(stdout);
  return { request: { url, headers, bodyFile }, answers };
}

/** Sends one request on a connection of its own. */
async function post({ url, headers, bodyFile }: Request): Promise<void> {
  const body = await readFile(bodyFile);
  const options = { method: 'POST', agent: false, headers: { ...headers, 'content-length': body.length } };
  const call = http.request(url, options).end(body);
  const [response] = (await once(call, 'response')) as [http.IncomingMessage];
  response.resume();
  await once(response, 'end');
}

async function stop(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  await exit;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
