/**
 * /docs in a real Chromium: it shows every operation, requests can be tried on it, and it asks nobody else for anything.
 */
import { once } from 'node:events';
import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import Koa from 'koa';
import mount from 'koa-mount';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createServer } from '#dist/index.js';
import { ApiDocument } from '../../fixtures/api-document.ts';
import { Browser } from '../../fixtures/browser.ts';
import { TestRepository } from '../../fixtures/repository.ts';
import { TestServer } from '../../fixtures/server.ts';

let repository: TestRepository;
beforeAll(async () => {
  repository = await TestRepository.create('identity');
});
afterAll(() => repository.remove());

let browser: Browser;
beforeEach(async () => {
  browser = await Browser.start();
});
afterEach(() => browser.stop());

/** Opens an operation on the page, fills its body in if there is one, sends it, and reads the status and the answer. */
async function tryOut(id: string, body?: string): Promise<{ status: string; answer: string }> {
  const block = `document.querySelector('.opblock[id$="-${id}"]')`;
  await browser.until(`${block}?.querySelector('.opblock-summary-control')`);
  await browser.evaluate(`${block}.querySelector('.opblock-summary-control').click()`);
  await browser.until(`${block}.querySelector('.execute')`);
  if (body !== undefined) {
    await browser.until(`${block}.querySelector('textarea')`);
    // As typed: React hears of it by the event.
    await browser.evaluate(`(() => {
      const area = ${block}.querySelector('textarea');
      Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, 'value').set.call(area, ${JSON.stringify(body)});
      area.dispatchEvent(new Event('input', { bubbles: true }));
    })()`);
  }
  // Before the page has resolved the operation's references, a click spoils its button for good.
  await browser.until(`ui.specSelectors.specResolvedSubtree(['paths',
    ${block}.querySelector('.opblock-summary-path').dataset.path,
    ${block}.querySelector('.opblock-summary-method').innerText.toLowerCase()])`);
  await browser.evaluate(`${block}.querySelector('.execute').click()`);
  const answered = `${block}.querySelector('.live-responses-table .response .response-col_status')`;
  await browser.until(answered);
  return browser.evaluate(`({
    status: ${answered}.innerText.trim(),
    answer: ${block}.querySelector('.live-responses-table .highlight-code code').innerText,
  })`);
}

function originsAsked(): string[] {
  const asked = browser.requests.filter((url) => !url.startsWith('data:'));
  return [...new Set(asked.map((url) => new URL(url).origin))];
}

/** The page shows every operation; two are tried. */
async function lookAt(url: string, page = '/docs'): Promise<void> {
  const api = new ApiDocument(await (await fetch(`${url}/openapi.json`)).json());
  await browser.open(`${url}${page}`);
  await browser.until(`document.querySelectorAll('.opblock').length >= ${api.operations.length}`);
  const shown = await browser.evaluate<string[]>(
    `Array.from(document.querySelectorAll('.opblock-summary'), (each) =>
      each.querySelector('.opblock-summary-method').innerText + ' ' +
      each.querySelector('.opblock-summary-path').dataset.path)`,
  );
  expect(shown.toSorted()).toEqual(api.operations);

  const health = await tryOut('health');
  expect(health.status).toBe('200');
  expect(JSON.parse(health.answer)).toMatchObject({ ready: true, models: [{ name: 'identity' }] });

  const prediction = await tryOut('infer', '{"x": [[1, 2.5]]}');
  expect(prediction.status).toBe('200');
  expect(JSON.parse(prediction.answer)).toMatchObject({ model: 'identity', outputs: { y: [[1, 2.5]] } });

  expect(browser.requests).toContain(`${url}/health`);
  expect(originsAsked()).toEqual([new URL(url).origin]);
  expect(browser.problems).toEqual([]);
}

describe('a server of its own', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await TestServer.start({ args: ['--model-path', repository.root] });
  });
  afterAll(() => server.stop());

  it.each(['/docs', '/docs/'])('%s', (page) => lookAt(server.url, page));

  it('has a policy that the browser enforces, and says when it does', async () => {
    await browser.open(`${server.url}/docs`);
    await browser.until("document.querySelector('.opblock')");
    const outcome = await browser.evaluate(`(async () => {
      const script = document.createElement('script');
      script.textContent = 'globalThis.ran = true';
      document.body.append(script);
      const elsewhere = await fetch('http://127.0.0.1:9/').then(() => 'asked', () => 'refused');
      return { ran: globalThis.ran ?? false, elsewhere };
    })()`);
    expect(outcome).toEqual({ ran: false, elsewhere: 'refused' });
    const refusals = browser.problems.filter((each) => each.includes('Content Security Policy'));
    expect(refusals.length).toBeGreaterThanOrEqual(2);
  });

  it('sends its files once', async () => {
    const first = await get(`${server.url}/docs/swagger-ui-bundle.js`, {});
    expect(first.headers).toMatchObject({
      'content-type': 'text/javascript; charset=utf-8',
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-cache',
      vary: 'Accept-Encoding',
    });
    expect(first.headers['content-security-policy']).not.toMatch(/unsafe|https?:/);
    const { etag = '' } = first.headers;
    const second = await get(`${server.url}/docs/swagger-ui-bundle.js`, { 'if-none-match': etag });
    expect([second.status, second.length]).toEqual([304, 0]);
    const small = await get(`${server.url}/docs/swagger-ui-bundle.js`, { 'accept-encoding': 'gzip' });
    expect(small.headers['content-encoding']).toBe('gzip');
    expect(small.length).toBeLessThan(first.length / 3);
  });
});

it('asks for a key, and sends it', async () => {
  const env = { TFJS_SERVING_API_KEYS: 'infer:secret' };
  const server = await TestServer.start({ args: ['--model-path', repository.root], env });
  try {
    await browser.open(`${server.url}/docs`);
    expect((await tryOut('modelInfo')).status).toBe('401');
    expect(await browser.evaluate('document.body.innerText')).not.toContain('identity');
    // Chromium's own line for an answer that is an error.
    expect(browser.problems.splice(0)).toEqual([expect.stringContaining('401 (Unauthorized)')]);
    await browser.evaluate("document.querySelector('.auth-wrapper .authorize').click()");
    await browser.until("document.querySelector('.auth-container input')");
    await browser.evaluate(`(() => {
      const input = document.querySelector('.auth-container input');
      Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(input, 'secret');
      input.dispatchEvent(new Event('input', { bubbles: true }));
      document.querySelector('.auth-container .authorize').click();
    })()`);
    await browser.until("document.querySelector('.auth-container .modal-btn')?.innerText === 'Logout'");
    await browser.evaluate("document.querySelector('.modal-ux .close-modal').click()");
    // With it the page shows what its owner may see.
    expect((await tryOut('infer_identity', '{"x": [1]}')).status).toBe('200');
    expect((await tryOut('models')).status).toBe('200');
    expect(originsAsked()).toEqual([server.url]);
    expect(browser.problems).toEqual([]);
  } finally {
    await server.stop();
  }
});

it('mounted in another application', async () => {
  const serving = createServer({ listen: false, logLevel: 'silent', modelPath: repository.root });
  await serving.start();
  const app = new Koa();
  app.use(mount('/serving', serving.app));
  const http = app.listen(0, '127.0.0.1');
  try {
    await once(http, 'listening');
    await lookAt(`http://127.0.0.1:${(http.address() as AddressInfo).port}/serving`);
  } finally {
    http.close();
    http.closeAllConnections();
    await serving.close();
  }
});

interface Reply {
  readonly status: number | undefined;
  readonly headers: Record<string, string | undefined>;
  readonly length: number;
}

/** As it comes: fetch would undo the compression, and ask for no cached answers. */
function get(url: string, headers: Record<string, string>): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const call = request(url, { headers }, (response) => {
      let length = 0;
      response.on('data', (chunk: Buffer) => {
        length += chunk.length;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode, headers: response.headers as Reply['headers'], length }),
      );
    });
    call.on('error', reject).end();
  });
}
