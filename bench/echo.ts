/**
 * The least that a server can do: it reads a whole body and answers with a number of bytes. Everything else is compared
 * with it.
 *
 *   node bench/echo.ts node|koa BYTES
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Koa from 'koa';

const [kind = 'node', size = '28'] = process.argv.slice(2);
const answer = Buffer.alloc(Number(size), 1);

const koa = new Koa();
koa.use(async (ctx) => {
  await new Promise((resolve) => ctx.req.on('data', () => {}).on('end', resolve));
  ctx.type = 'application/cbor';
  ctx.body = answer;
});

const server =
  kind === 'koa'
    ? createServer(koa.callback())
    : createServer((req, res) => {
        req.on('data', () => {});
        req.on('end', () => {
          res.writeHead(200, { 'content-type': 'application/cbor', 'content-length': answer.length });
          res.end(answer);
        });
      });
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  console.log(`http://127.0.0.1:${port}/`);
});
