/** The files for Prometheus and Grafana: every metric in them exists, and Prometheus itself accepts them. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ints, map } from '../fixtures/cbor.ts';
import { serveModels, stopServerAfterEach } from '../fixtures/servers.ts';
import { until } from '../fixtures/until.ts';

stopServerAfterEach();

const deploy = fileURLToPath(new URL('../../deploy', import.meta.url));
const file = (...parts: string[]) => path.join(deploy, ...parts);
const read = (...parts: string[]) => readFileSync(file(...parts), 'utf8');

/** Debian's package `prometheus` has both programs. */
const isInstalled = (program: string) => spawnSync(program, ['--version']).status === 0;

it('each metric and label of the alerts and the dashboard exists', async () => {
  const { server } = await serveModels(['rows_guarded'], '--workers', '2');
  expect((await server.infer('/models/rows_guarded/infer', map({ x: ints(1) }))).status).toBe(200);
  const text = await (await server.fetch('/metrics')).text();
  const known = new Set([...text.matchAll(/^([a-z_0-9]+)(?:\{| )/gm)].map(([, name]) => name));
  const used = ['prometheus/alerts.yml', 'prometheus/alerts.test.yml', 'grafana/tfjs-serving.json'].flatMap(
    (name) => read(name).match(/\b(?:inference|tfjs_serving|nodejs|process)_[a-z0-9_]+/g) ?? [],
  );
  expect(used.length).toBeGreaterThan(40);
  expect([...new Set(used)].filter((name) => !known.has(name))).toEqual([]);
});

it('each alert is in the documents, and each of theirs is there', () => {
  const alerts = read('prometheus', 'alerts.yml').match(/(?<=alert: )\w+/g);
  const documented = readFileSync(path.join(deploy, '..', 'docs', 'metrics.md'), 'utf8').match(
    /(?<=^\| `)Tfjs\w+/gm,
  );
  expect(documented).toEqual(alerts);
});

it('the panels of the dashboard have names, descriptions and places of their own', () => {
  const { panels } = JSON.parse(read('grafana', 'tfjs-serving.json'));
  const places = panels.map(({ gridPos: { x, y } }: { gridPos: { x: number; y: number } }) => `${x} ${y}`);
  expect(new Set(places).size).toBe(panels.length);
  for (const { title, description, targets } of panels) {
    expect(title).not.toBe('');
    expect(description).not.toBe('');
    expect(targets.length).toBeGreaterThan(0);
  }
});

describe.skipIf(!isInstalled('promtool'))('promtool (Debian package prometheus)', () => {
  it.each([
    ['check', 'rules', file('prometheus', 'alerts.yml')],
    ['test', 'rules', file('prometheus', 'alerts.test.yml')],
    ['check', 'config', file('prometheus', 'prometheus.yml')],
  ])('%s %s accepts our file', (...args) => {
    expect(execFileSync('promtool', args, { encoding: 'utf8' })).toContain('SUCCESS');
  });

  it('check metrics accepts what the server says, and each expression of the dashboard is one', async () => {
    const { server } = await serveModels(['rows_guarded'], '--workers', '2');
    expect((await server.infer('/models/rows_guarded/infer', map({ x: ints(1) }))).status).toBe(200);
    const input = await (await server.fetch('/metrics')).text();
    const { stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' });
    expect(stdout + stderr).toBe('');
    const { panels } = JSON.parse(read('grafana', 'tfjs-serving.json'));
    const rules = panels.flatMap(({ targets }: { targets: { expr: string }[] }) =>
      targets.map(({ expr }) => ({ record: 'a:b', expr: expr.replaceAll('$__rate_interval', '5m') })),
    );
    const folder = mkdtempSync(path.join(tmpdir(), 'tfjs-serving-rules-'));
    const all = path.join(folder, 'rules.json');
    writeFileSync(all, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
    expect(spawnSync('promtool', ['check', 'rules', '--lint=none', all], { encoding: 'utf8' })).toMatchObject(
      {
        status: 0,
      },
    );
    rmSync(folder, { recursive: true });
  });
});

it.skipIf(!isInstalled('prometheus'))('Prometheus scrapes the server with our file and a key', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'tfjs-serving-prometheus-'));
  const keys = path.join(folder, 'keys');
  writeFileSync(keys, 'metrics:a-key-for-prometheus\nadmin:another\n');
  const { server } = await serveModels(['rows_guarded'], '--api-key-file', keys);
  const config = read('prometheus', 'prometheus.yml')
    .replace('127.0.0.1:50000', new URL(server.url).host)
    .replace('scrape_interval: 15s', 'scrape_interval: 1s')
    .replace(
      /# authorization:\n.*# {3}type: Bearer\n.*\n/,
      'authorization: {type: Bearer, credentials: a-key-for-prometheus}\n',
    );
  const files = { config: path.join(folder, 'prometheus.yml'), alerts: path.join(folder, 'alerts.yml') };
  writeFileSync(files.config, config);
  writeFileSync(files.alerts, read('prometheus', 'alerts.yml'));
  const port = await freePort();
  const child = spawn(
    'prometheus',
    [
      `--config.file=${files.config}`,
      `--storage.tsdb.path=${path.join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: 'ignore' },
  );
  try {
    const value = await until(async () => {
      const query = 'tfjs_serving_version{model="rows_guarded"}';
      const url = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(query)}`;
      const response = await fetch(url).catch(() => undefined);
      // biome-ignore lint/suspicious/noExplicitAny: the answer of Prometheus
      const answer = (await response?.json().catch(() => undefined)) as any;
      return answer?.data?.result?.[0]?.value?.[1];
    }, 'Prometheus to know the version');
    expect(value).toBe('1');
  } finally {
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    await exit;
    rmSync(folder, { recursive: true, force: true });
  }
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
