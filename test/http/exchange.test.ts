/**
 * What an exchange counts as unread while its answer comes in parts.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Stalls } from '../../src/http/connection/stalls.ts';
import { UnreadAnswers } from '../../src/http/connection/unread-answers.ts';
import { Exchange, Exchanges } from '../../src/http/request/exchange.ts';
import { until } from '../fixtures/until.ts';

/** More than the buffers of both ends take. */
const part = Buffer.alloc(2 ** 24);

const unread = new UnreadAnswers({
  maxBytes: 2 ** 26,
  timeout: 600,
  outputBytes: () => 0,
  unacknowledged: undefined,
});
const http = createServer();
let [exchange, res, client]: [Exchange?, ServerResponse?, IncomingMessage?] = [];

beforeEach(async () => {
  const exchanges = new Exchanges([], new Stalls(600, undefined), unread, undefined);
  http.once('request', (req, answer: ServerResponse) => {
    exchange = new Exchange(req, answer, exchanges);
    res = answer;
    answer.writeHead(200).flushHeaders();
  });
  await once(http.listen(0, '127.0.0.1'), 'listening');
  const asked = request({ port: (http.address() as AddressInfo).port, host: '127.0.0.1' }).end();
  [client] = (await once(asked, 'response')) as [IncomingMessage];
});

afterEach(async () => {
  client?.destroy();
  http.closeAllConnections();
  await new Promise((resolve) => http.close(resolve));
});

/** Sends a part as a stream does, and waits until the client has taken it. */
async function sendPart(): Promise<void> {
  exchange?.admitPart(part.length);
  expect(res?.write(part)).toBe(false);
  const taken = exchange?.waitForReader(part.length);
  expect(unread.held).toBe(part.length);
  client?.resume();
  await once(res as ServerResponse, 'drain');
  client?.pause();
  taken?.();
}

it('a part counts until it is taken, and at the end only the last one', async () => {
  for (let i = 0; i < 3; i++) await sendPart();
  expect(unread.held).toBe(0);
  exchange?.admitPart(part.length);
  res?.write(part);
  res?.end();
  exchange?.answered();
  expect([unread.held, exchange?.bytesOut]).toEqual([part.length, 4 * part.length]);
  client?.resume();
  await until(() => unread.held === 0, 'the rest to be read');
});

it('nothing counts once the client has left', async () => {
  exchange?.admitPart(part.length);
  res?.write(part);
  res?.end();
  exchange?.answered();
  expect(unread.held).toBe(part.length);
  client?.destroy();
  await until(() => unread.held === 0, 'the connection to be closed');
  expect(exchange?.status).toBe('CANCELLED');
});
