/**
 * What systemd hears of a server that it has started, and the unit that starts it.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TestServer } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';

const listener = fileURLToPath(new URL('../fixtures/notify_socket.py', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));
const models = path.join(root, 'test/models/identity/1');

let folder: string;
const closing: (() => unknown)[] = [];

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'tfjs-serving-notify-'));
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  rmSync(folder, { recursive: true, force: true });
});

/** Listens at a socket. @returns its messages, which go on growing */
async function listen(socket: string): Promise<readonly string[]> {
  const messages: string[] = [];
  const child = spawn('python3', [listener, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  closing.push(() => child.kill('SIGKILL'));
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (text + chunk).split('\n');
    text = lines.pop() ?? '';
    messages.push(...lines.map((line) => JSON.parse(line)));
  });
  await until(() => messages.shift(), 'the listener');
  return messages;
}

async function serve(env: Record<string, string>, ...args: string[]): Promise<TestServer> {
  const server = await TestServer.start({ args: ['--model-path', models, ...args], env });
  closing.push(() => server.stop('SIGKILL'));
  return server;
}

const isWatchdog = (message: string) => message === 'WATCHDOG=1\n';

it.each(['file', ...(process.platform === 'linux' ? ['@abstract'] : [])])(
  'a socket (%s) hears when the server is ready, reloads and stops',
  async (kind) => {
    const socket = kind === 'file' ? path.join(folder, 'notify') : `@${path.basename(folder)}`;
    const messages = await listen(socket);
    const server = await serve({ NOTIFY_SOCKET: socket, WATCHDOG_USEC: '200000' });
    const others = () => messages.filter((message) => !isWatchdog(message));
    await until(() => others().length === 2, 'the server to be ready');
    expect(others()).toEqual([
      'STATUS=loading the models that were found\n',
      `READY=1\nSTATUS=serving on ${server.url}\n`,
    ]);
    server.child.kill('SIGHUP');
    await until(() => others().length === 4, 'the end of the reload');
    expect(others()[2]).toMatch(/^RELOADING=1\nMONOTONIC_USEC=\d+\n$/);
    // The clock counts from the start of the machine.
    const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
    const told = Number(/MONOTONIC_USEC=(\d+)/.exec(others()[2] ?? '')?.[1]) / 1e6;
    expect(Math.abs(uptime - told)).toBeLessThan(60);
    expect(others()[3]).toBe('READY=1\n');
    await until(() => messages.filter(isWatchdog).length > 3, 'the watchdog');
    expect(await server.stop()).toBe(0);
    await until(() => others().length === 5, 'the end');
    expect(others()[4]).toBe(
      'STOPPING=1\nSTATUS=finishing the requests under way\nEXTEND_TIMEOUT_USEC=70000000\n',
    );
  },
);

it('the watchdog hears nothing any more once the event loop hangs', async () => {
  const model = path.join(folder, 'models', 'endless', '1');
  execFileSync('mkdir', ['-p', model]);
  writeFileSync(
    path.join(model, 'handler.js'),
    `export const signature = { inputs: { x: { dtype: 'float32', shape: [-1] } } };
     export const warmup = () => {};
     export const predict = () => { for (;;); };`,
  );
  const messages = await listen(path.join(folder, 'notify'));
  const server = await serve(
    { NOTIFY_SOCKET: path.join(folder, 'notify'), WATCHDOG_USEC: '100000', WATCHDOG_PID: '' },
    ...['--model-path', path.join(folder, 'models'), '--allow-handlers'],
  );
  await until(() => messages.filter(isWatchdog).length > 3, 'the watchdog');
  const lost = server.infer('/infer', Uint8Array.of(0xa1, 0x61, 0x78, 0x81, 0x01)).catch(() => 'lost');
  const isDeaf = () =>
    server.fetch('/health/live', { signal: AbortSignal.timeout(1000) }).then(
      () => false,
      () => true,
    );
  await until(isDeaf, 'the event loop to hang');
  const heard = messages.length;
  await delay(1000);
  expect(messages.length).toBe(heard);
  await server.stop('SIGKILL');
  expect(await lost).toBe('lost');
});

it('another process is not what the watchdog waits for', async () => {
  const messages = await listen(path.join(folder, 'notify'));
  const env = { NOTIFY_SOCKET: path.join(folder, 'notify'), WATCHDOG_USEC: '20000', WATCHDOG_PID: '1' };
  const server = await serve(env);
  await until(() => messages.some((message) => message.startsWith('READY=1')), 'the server to be ready');
  await server.stop();
  await until(() => messages.some((message) => message.startsWith('STOPPING=1')), 'the end');
  expect(messages.filter(isWatchdog)).toEqual([]);
});

it.each([
  ['nobody listens', [], /ENOENT|No such file/],
  ['the runtime cannot send', ['--runtime', 'tfjs'], /--runtime tfjs has no way to send there/],
])('the server serves where %s, and says so once', async (_, args, reason) => {
  const server = await serve({ NOTIFY_SOCKET: path.join(folder, 'nobody'), WATCHDOG_USEC: '20000' }, ...args);
  expect((await server.fetch('/health/live')).status).toBe(200);
  expect(await server.stop()).toBe(0);
  expect(server.log.match(/cannot be told anything/g)).toHaveLength(1);
  expect(server.log).toMatch(reason);
});

const analyze = spawnSync('systemd-analyze', ['--version']);

it.skipIf(analyze.error !== undefined)('systemd finds no fault in the unit (needs systemd-analyze)', () => {
  const unit = path.join(folder, 'tfjs-serving.service');
  // The paths of a machine that has neither would be the only fault.
  const text = readFileSync(path.join(root, 'deploy/systemd/tfjs-serving.service'), 'utf8')
    .replace('/usr/bin/node', process.execPath)
    .replace('/opt/tfjs-serving/node_modules/tfjs-serving', root);
  writeFileSync(unit, text);
  const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', unit], { encoding: 'utf8' });
  expect([status, stdout, stderr]).toEqual([0, '', '']);
  writeFileSync(unit, text.replace('WatchdogSec=30', 'WatchdogSeconds=30'));
  expect(spawnSync('systemd-analyze', ['verify', unit], { encoding: 'utf8' }).stderr).toContain(
    'WatchdogSeconds',
  );
});
