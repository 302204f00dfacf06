/**
 * A thread that asks `/health/live` without a pause, one request after another on one connection, and remembers the longest wait.
 *
 * It shares nothing with the thread that sends the hostile request, so that only the server can make it wait.
 */
import { connect } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';

/** @type {{ hostname: string, port: number }} */
const { hostname, port } = workerData;
const request = `GET /health/live HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`;
let longest = 0;
let asked = 0;
let sent = 0;
let isStopped = false;
/** Of the answer that is coming. */
let text = '';
const socket = connect(port, hostname);
socket.setNoDelay(true).setEncoding('latin1');
socket.on('connect', ask).on('data', (chunk) => {
  text += chunk;
  const head = text.indexOf('\r\n\r\n');
  if (head < 0) return;
  const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
  if (text.length < head + 4 + length) return;
  const status = text.slice(9, 12);
  if (status !== '200') throw new Error(`/health/live answered ${status}`);
  text = '';
  longest = Math.max(longest, performance.now() - sent);
  asked += 1;
  if (isStopped) end();
  else setTimeout(ask, 1);
});
socket.on('error', (error) => parentPort?.postMessage({ failure: String(error) }));
parentPort?.on('message', () => {
  isStopped = true;
});

function ask() {
  sent = performance.now();
  if (asked === 0) parentPort?.postMessage('asking');
  socket.write(request);
}

function end() {
  socket.destroy();
  parentPort?.postMessage({ longest, asked });
  parentPort?.close();
}
