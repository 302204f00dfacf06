/**
 * The server as a process: what it logs, to whom, and which signals end it.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { TestRepository } from '../fixtures/repository.ts';
import { launch, TestServer } from '../fixtures/server.ts';
import { RawConnection } from '../fixtures/socket.ts';
import { until } from '../fixtures/until.ts';

const program = path.resolve('dist/main.js');
const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function repositoryOf(...models: string[]): Promise<TestRepository> {
  const repository = await TestRepository.create(...models);
  closing.push(() => repository.remove());
  return repository;
}

async function start(...args: string[]): Promise<TestServer> {
  const repository = await repositoryOf('identity');
  const server = await TestServer.start({
    args: ['--model-path', repository.root, '--settle', '0.1', ...args],
  });
  closing.push(() => server.stop('SIGKILL'));
  return server;
}

/** Reads what is there until the text has come. */
/** The address, in a whole line. */
const served = /serving on (\S+)\n/;

async function readUntil(read: () => Promise<string>, wanted: RegExp): Promise<string> {
  let text = '';
  return until(async () => {
    text += await read();
    return wanted.exec(text)?.at(-1);
  }, `${wanted} in the log`);
}

describe('a log whose reader stands still', () => {
  /** Asks for what there is not, which is logged: 3 MB in all. */
  async function fillLog(url: string): Promise<void> {
    const long = 'x'.repeat(3000);
    for (let i = 0; i < 20; i++)
      await Promise.all(
        Array.from({ length: 50 }, () => fetch(`${url}/${long}`).then((answer) => answer.text())),
      );
  }

  async function droppedBy(url: string): Promise<number> {
    const text = await (await fetch(`${url}/metrics`)).text();
    return Number(/^tfjs_serving_log_lines_dropped_total (\d+)$/m.exec(text)?.[1]);
  }

  it('of a pipe does not keep the server, which tells how many lines it dropped', async () => {
    const repository = await repositoryOf('identity');
    const fifo = repository.path('..', `${path.basename(repository.root)}.fifo`);
    execFileSync('mkfifo', [fifo]);
    closing.push(() => execFileSync('rm', [fifo]));
    const reader = await open(fifo, 'r+');
    const writer = await open(fifo, 'w');
    closing.push(() => Promise.all([reader.close(), writer.close()]));
    const flags = ['serve', '--port', '0', '--model-path', repository.root, '--log-level', 'debug'];
    const child = spawn(process.execPath, [program, ...flags], { stdio: ['ignore', writer.fd, 'ignore'] });
    closing.push(() => child.kill('SIGKILL'));
    const buffer = Buffer.alloc(2 ** 16);
    const read = async () => buffer.toString('utf8', 0, (await reader.read(buffer)).bytesRead);
    const url = await readUntil(read, served);
    await fillLog(url);
    expect(await droppedBy(url)).toBeGreaterThan(100);
    await readUntil(read, /\d+ lines of the log were dropped/);
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await exit).toEqual([0, null]);
  });

  it('of what TensorFlow says does not keep the server', async () => {
    const repository = await repositoryOf('identity');
    const fifo = repository.path('..', `${path.basename(repository.root)}.fifo`);
    execFileSync('mkfifo', [fifo]);
    closing.push(() => execFileSync('rm', [fifo]));
    // Nobody reads it, and there is no room from the start.
    const pipe = await open(fifo, constants.O_RDWR | constants.O_NONBLOCK);
    const waiting = await open(fifo, constants.O_WRONLY);
    closing.push(() => Promise.all([pipe.close(), waiting.close()]));
    const line = Buffer.alloc(2 ** 12);
    await expect(until(() => pipe.write(line).then(() => undefined), 'a full pipe')).rejects.toThrow(
      'EAGAIN',
    );
    const flags = ['serve', '--port', '0', '--model-path', repository.root, '--log-level', 'info'];
    const child = spawn(process.execPath, [program, ...flags], {
      stdio: ['ignore', 'pipe', waiting.fd],
      env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '0', TF_CPP_MAX_VLOG_LEVEL: '2' },
    });
    closing.push(() => child.kill('SIGKILL'));
    let log = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      log += text;
    });
    const url = await until(() => served.exec(log)?.[1], 'the server');
    const headers = { 'content-type': 'application/json' };
    const asked = { method: 'POST', headers, body: '{"inputs": {"x": [1]}, "signature": "float32"}' };
    await until(async () => (await fetch(`${url}/models/identity/infer`, asked)).ok, 'an answer');
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await exit).toEqual([0, null]);
  });

  it('of a socket does not, either', async () => {
    const server = await start('--log-level', 'debug', '--log-format', 'json');
    server.child.stdout?.pause();
    await fillLog(server.url);
    expect(await droppedBy(server.url)).toBeGreaterThan(100);
    server.child.stdout?.resume();
    await until(() => /\d+ lines of the log were dropped/.test(server.log), 'the drops to be told');
    for (const line of server.output.stdout.trim().split('\n')) JSON.parse(line);
  });

  it('that has gone does not end the server', async () => {
    const server = await start('--log-level', 'debug');
    server.child.stdout?.destroy();
    await fillLog(server.url);
    expect((await server.fetch('/health/live')).status).toBe(200);
    expect(await server.stop()).toBe(0);
  });
});

describe.each(['text', 'json'])('the log as %s', (format) => {
  it('of a malformed request holds no key, in no form', async () => {
    const server = await start('--log-level', 'debug', '--log-format', format);
    const connection = await RawConnection.open(server.url);
    connection.send('GET / HTTP/1.1\r\nX-API-Key: secret\r\nno colon\r\n\r\n');
    await until(() => connection.ended, 'the connection to be closed');
    await until(() => server.log.includes('could not be read'), 'the line');
    for (const key of ['secret', '115,101,99', Buffer.from('secret').toString('hex'), 'c2VjcmV0'])
      expect(server.log.replaceAll(/\s/g, '')).not.toContain(key);
  });

  it('has no line that a name forges', async () => {
    const server = await start('--log-level', 'debug', '--log-format', format);
    const name = encodeURIComponent('a\n[12:00:00.000] INFO: forged\r\u001b[2K\u2028b');
    for (const each of [`/models/${name}`, `/models/${name}/infer`, `/models/identity/labels/${name}/infer`])
      await server.fetch(each, { method: each.endsWith('infer') ? 'POST' : 'GET' });
    await until(() => server.log.includes('forged'), 'the lines');
    for (const line of server.log.split(/[\n\r\u2028]/))
      expect(line.trimStart()).not.toMatch(/^\[12:00:00\.000\]/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what must not be there
    expect(server.log).not.toMatch(/\u001b\[2K/);
  });
});

describe('a signal', () => {
  it.each([0, 150, 300, 500, 800, 1200])('SIGTERM %i ms after it is heard ends it with 0', async (pause) => {
    const { child } = launch(['serve', '--port', '0', '--model-path', 'test/models/identity/1']);
    // Before that Node starts, and nothing of the server is there. The handler of SIGHUP comes after that of SIGTERM.
    await until(
      () =>
        execFileSync('cat', [`/proc/${child.pid}/status`], { encoding: 'utf8' }).match(
          /SigCgt:\s+\w*[13579bdf]\n/,
        ),
      'a handler',
    );
    await delay(pause);
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await exit).toEqual([0, null]);
  });

  it('SIGTERM while a large answer is written is heeded once that has left', async () => {
    const server = await start();
    const values = 4_000_000;
    const head = Buffer.from([0xa2, 0x66, ...Buffer.from('inputs'), 0xa1, 0x61, 0x78, 0xd8, 64, 0x5a]);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(values);
    const signature = Buffer.from([0x69, ...Buffer.from('signature'), 0x65, ...Buffer.from('uint8')]);
    const answer = await server.fetch('/models/identity/infer', {
      method: 'POST',
      headers: { 'content-type': 'application/cbor', accept: 'application/json' },
      body: Buffer.concat([head, length, Buffer.alloc(values, 7), signature]),
    });
    expect(answer.status).toBe(200);
    const exit = once(server.child, 'exit');
    server.child.kill('SIGTERM');
    await until(() => server.log.includes('SIGTERM: finishing'), 'the signal to be heeded');
    const text = await answer.text();
    expect(text.length).toBeGreaterThan(2 * values);
    expect(text.endsWith(',7]}}\n')).toBe(true);
    expect(await exit).toEqual([0, null]);
  });

  it('a second SIGTERM ends it at once, whatever is under way', async () => {
    const server = await start();
    const connection = await RawConnection.open(server.url);
    closing.push(() => connection.socket.destroy());
    // A body that does not come is under way for as long as --body-timeout.
    connection.send(
      'POST /infer HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/cbor\r\nContent-Length: 9\r\n\r\n',
    );
    await until(async () => (await server.fetch('/health/live')).ok, 'the server to have read the head');
    const exit = once(server.child, 'exit');
    server.child.kill('SIGTERM');
    await until(() => server.log.includes('SIGTERM: finishing'), 'the first signal to be heeded');
    // One that comes within half a second is an echo of the first.
    await delay(600);
    server.child.kill('SIGTERM');
    expect(await exit).toEqual([1, null]);
    expect(server.log).toContain('SIGTERM again: ending at once');
  });

  it('SIGHUP ends nothing, and SIGUSR1 opens no debugger', async () => {
    const server = await start();
    for (const signal of ['SIGHUP', 'SIGUSR1'] as const) {
      server.child.kill(signal);
      await until(() => server.log.includes(`${signal}: `), `${signal} in the log`);
    }
    expect((await server.fetch('/health/live')).status).toBe(200);
    expect(server.log).not.toContain('Debugger listening');
    expect(await server.stop()).toBe(0);
  });
});

it('metrics that do not only grow are not called totals', async () => {
  const server = await start();
  const text = await (await server.fetch('/metrics')).text();
  const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)];
  expect(types.length).toBeGreaterThan(20);
  for (const [, name = '', type] of types)
    expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter']);
});
