/**
 * `node scripts/bench.js access-log`: the CPU that a line of the access log takes, with 16 requests in a turn of the event loop.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { AccessLog, accessLogFormats } from '#dist/telemetry/access-log.js';
import { blankRecord, type RequestRecord } from '#dist/telemetry/request-record.js';
import { spread, table } from './statistics.ts';

const requests = 200_000;
const perTurn = 16;
const rounds = 5;

const record: RequestRecord = {
  ...blankRecord,
  ...{ via: 'http', method: 'POST', path: '/models/mlp/infer', peer: '127.0.0.1', keyId: '1a2b3c4d' },
  ...{ requestId: '0f0c9e2a-1b2c-4d5e-8f90-123456789abc', isInference: true, model: 'mlp', version: 3 },
  ...{ status: 'ok', httpStatus: 200, httpVersion: '1.1', userAgent: 'python-requests/2.32' },
  ...{ bytesIn: 900, bytesOut: 184, queueMicros: 100.4, runMicros: 220.3, seconds: 0.00142 },
};

const folder = await mkdtemp(path.join(tmpdir(), 'tfjs-serving-bench-'));
const rows: string[][] = [];
for (const format of accessLogFormats) {
  const log = new AccessLog({ to: path.join(folder, format), format, sample: 1 });
  // Nobody is measured cold.
  await microsPerRequest((record) => log.write(record));
  const found: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const turns = await microsPerRequest(() => {});
    found.push((await microsPerRequest((record) => log.write(record))) - turns);
  }
  log.close();
  rows.push([format, spread(found)]);
}
await rm(folder, { recursive: true });
console.log(table(['format', 'µs a line'], rows));

async function microsPerRequest(write: (record: RequestRecord) => void): Promise<number> {
  const before = process.cpuUsage();
  for (let i = 0; i < requests; i++) {
    write(record);
    if (i % perTurn === 0) await nextTurn();
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / requests;
}
