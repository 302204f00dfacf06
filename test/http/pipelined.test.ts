/** Many requests in one packet are answered in order, and the event loop is given back between them. */
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { oneATurn } from '../../src/http/connection/pipelined.ts';
import { until } from '../fixtures/until.ts';

const ends: (() => void)[] = [];

afterEach(() => {
  for (const end of ends.splice(0)) end();
});

async function open(listener: RequestListener, arrived = () => {}) {
  const http = createServer(oneATurn(listener));
  http.prependListener('request', arrived);
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const socket = connect((http.address() as AddressInfo).port, '127.0.0.1');
  const client = { socket, received: '' };
  socket.setEncoding('latin1').on('data', (text: string) => {
    client.received += text;
  });
  ends.push(() => {
    socket.destroy();
    http.close();
  });
  return client;
}

const packet = (count: number) =>
  Array.from({ length: count }, (_, i) => `GET /${i} HTTP/1.1\r\nHost: a\r\n\r\n`).join('');

it('a packet of requests is answered in its order, with turns of the loop between them', async () => {
  let turns = 0;
  const count = () => {
    turns++;
    counting = setImmediate(count);
  };
  let counting = setImmediate(count);
  ends.push(() => clearImmediate(counting));
  const taken: number[] = [];
  const client = await open((req, res) => {
    taken.push(turns);
    res.end(`<${req.url}>`);
  });
  client.socket.write(packet(100));
  await until(() => client.received.includes('</99>'), 'the last answer');
  expect(client.received.match(/<\/\d+>/g)).toEqual(Array.from({ length: 100 }, (_, i) => `</${i}>`));
  // The first is taken at once.
  expect(new Set(taken.slice(1)).size).toBe(99);
});

it('requests of a client that has left are not taken', async () => {
  const taken: (string | undefined)[] = [];
  const client = await open((req, res) => {
    taken.push(req.url);
    if (req.url === '/3') client.socket.destroy();
    if (req.url === '/3') req.socket.destroy();
    res.end();
  });
  client.socket.write(packet(1000));
  await until(() => taken.includes('/3'), 'the fourth');
  // A request is taken in each turn.
  for (let i = 0; i < 1000; i++) await turn();
  expect(taken).toEqual(['/0', '/1', '/2', '/3']);
});

it('a client that sends too far ahead is disconnected, and others are answered', async () => {
  let [arrived, taken, most] = [0, 0, 0];
  const client = await open(
    (_req, res) => {
      taken += 1;
      res.end();
    },
    () => {
      arrived += 1;
      most = Math.max(most, arrived - taken);
    },
  );
  let isOver = false;
  client.socket.on('close', () => {
    isOver = true;
  });
  client.socket.on('error', () => {});
  client.socket.write(packet(50_000));
  await until(() => isOver, 'the end of the connection');
  const other = await open((_req, res) => res.end('there'));
  other.socket.write(packet(1));
  await until(() => other.received.includes('there'), 'an answer to another client');
  // Node reads 64 KiB at once, some 2,000 of these requests.
  expect(most).toBeLessThan(5000);
  expect(taken).toBeLessThan(2500);
});
