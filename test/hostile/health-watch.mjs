/**
 * A thread that asks `/health/live` without a pause, one request after another on one connection, and remembers the longest wait.
 *
 * It shares nothing with the thread that sends the hostile request, so that only the server can make it wait. Where the system
 * tells how long threads waited for a processor (Linux), that is not counted: a busy machine makes everybody wait. A wait for the
 * end of a processor quota is counted all the same, so the processor time of the server's first thread is measured too.
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';

/** @type {{ hostname: string, port: number, pid: number }} */
const { hostname, port, pid } = workerData;
const request = `GET /health/live HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`;
/** The server's first thread, which has its event loop, and this one. */
const threads = [`/proc/${pid}/task/${pid}/schedstat`, '/proc/thread-self/schedstat'];
let longest = 0;
/** Most milliseconds of one wait that the server's first thread computed. */
let held = 0;
let asked = 0;
let sent = 0;
/** What both threads had waited by then, and what the server's had computed. */
let before = { delayed: 0, computed: 0 };
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
  const now = figures();
  const waited = performance.now() - sent - (now.delayed - before.delayed);
  longest = Math.max(longest, waited);
  held = Math.max(held, Math.min(waited, now.computed - before.computed));
  asked += 1;
  if (isStopped) end();
  else setTimeout(ask, 1);
});
socket.on('error', (error) => parentPort?.postMessage({ failure: String(error) }));
parentPort?.on('message', () => {
  isStopped = true;
});

/** Milliseconds that both threads have waited for a processor so far, and that the server's has had one. */
function figures() {
  const [server, own] = threads.map(scheduled);
  return { delayed: server.delayed + own.delayed, computed: server.computed };
}

/** @param {string} file */
function scheduled(file) {
  try {
    const [computed, delayed] = readFileSync(file, 'utf8').split(' ');
    return { computed: Number(computed) / 1e6, delayed: Number(delayed) / 1e6 };
  } catch {
    return { computed: 0, delayed: 0 };
  }
}

function ask() {
  before = figures();
  sent = performance.now();
  if (asked === 0) parentPort?.postMessage('asking');
  socket.write(request);
}

function end() {
  socket.destroy();
  parentPort?.postMessage({ longest, held, asked });
  parentPort?.close();
}
