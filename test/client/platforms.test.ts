/** The client's bundle, with the same bytes in Node and in a real Chromium, against the real server. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bundleClient } from '../../scripts/check-client.js';
import { chromium } from '../../scripts/test/chromium.js';
import { TestRepository } from '../fixtures/repository.ts';
import { TestServer } from '../fixtures/server.ts';
import { runChecks, type Vector } from './checks.ts';

const vectorsFile = new URL('../../clients/vectors.json', import.meta.url);
const { vectors } = JSON.parse(await readFile(vectorsFile, 'utf8')) as { vectors: Vector[] };

let folder: string;
let bundle: Uint8Array;
let repository: TestRepository;
let server: TestServer;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-client-'));
  bundle = await bundleClient();
  repository = await TestRepository.create('identity');
  server = await TestServer.start({ args: ['--model-path', repository.root] });
});
afterAll(async () => {
  await server?.stop('SIGKILL');
  await repository?.remove();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

it('in Node', async () => {
  const file = path.join(folder, 'client.mjs');
  await writeFile(file, bundle);
  const { failures, tried } = await runChecks(
    await import(/* @vite-ignore */ pathToFileURL(file).href),
    vectors,
    server.url,
  );
  expect(failures).toEqual([]);
  expect(tried).toBeGreaterThan(2 * vectors.length);
});

it('in Chromium', async () => {
  const command = await chromium();
  const { page, report } = await servePage();
  const { port } = page.address() as AddressInfo;
  const flags = [
    ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'],
    ...['--disable-background-networking', `--user-data-dir=${path.join(folder, 'profile')}`],
  ];
  const browser = spawn(command, [...flags, `http://127.0.0.1:${port}/`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  browser.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    log += chunk;
  });
  const exit = once(browser, 'exit');
  try {
    const ended = exit.then(() => Promise.reject(new Error(`Chromium ended:\n${log}`)));
    const { failures, tried, agent } = await Promise.race([report, ended]);
    expect(failures).toEqual([]);
    expect(tried).toBeGreaterThan(2 * vectors.length);
    expect(agent).toMatch(/Chrome\//);
  } finally {
    browser.kill();
    await exit;
    page.closeAllConnections();
    page.close();
  }
});

interface Report {
  readonly failures: string[];
  readonly tried: number;
  readonly agent: string;
}

/** One origin for the page and, behind it, the server: it allows no requests of other origins' pages. */
async function servePage(): Promise<{ page: Server; report: Promise<Report> }> {
  const checks = await build({
    entryPoints: [new URL('checks.ts', import.meta.url).pathname],
    bundle: true,
    format: 'esm',
    write: false,
  });
  const script = `
    let report;
    try {
      const [client, { runChecks }] = [await import('/client.js'), await import('/checks.js')];
      const { vectors } = await (await fetch('/vectors.json')).json();
      report = await runChecks(client, vectors, location.origin);
    } catch (error) {
      report = { failures: [String(error?.stack ?? error)], tried: 0 };
    }
    await fetch('/report', { method: 'POST', body: JSON.stringify({ ...report, agent: navigator.userAgent }) });`;
  const files: Readonly<Record<string, readonly [type: string, content: string | Uint8Array]>> = {
    '/': ['text/html', `<!doctype html><script type="module">${script}</script>`],
    '/client.js': ['text/javascript', bundle],
    '/checks.js': ['text/javascript', checks.outputFiles[0]?.contents ?? ''],
    '/vectors.json': ['application/json', JSON.stringify({ vectors })],
  };
  let resolve: (report: Report) => void;
  const report = new Promise<Report>((done) => {
    resolve = done;
  });
  const page = createServer(async (req, res) => {
    const { method = 'GET', url = '/', headers } = req;
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const [type, content] = files[url] ?? [];
    if (type !== undefined) {
      res.writeHead(200, { 'content-type': type }).end(content);
    } else if (url === '/report') {
      res.end();
      resolve(JSON.parse(body.toString()));
    } else {
      const { accept = '', 'content-type': contentType = '' } = headers;
      const passed = { accept, 'content-type': contentType };
      const init = method === 'POST' ? { method, headers: passed, body } : { method };
      const answer = await server.fetch(url, init);
      res.writeHead(answer.status, Object.fromEntries(answer.headers));
      res.end(Buffer.from(await answer.arrayBuffer()));
    }
  });
  page.listen(0, '127.0.0.1');
  await once(page, 'listening');
  return { page, report };
}
