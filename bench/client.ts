/**
 * A load in a process of its own. Each connection asks again as soon as it has its answer. At the end it prints when
 * each answer came and how long it took, so that any slice of time can be examined. It ends early when its standard
 * input ends.
 *
 *   node bench/client.ts URL BODY_FILE CONNECTIONS SECONDS
 */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';

/** The output: for each answer, its end in epoch milliseconds, and the milliseconds that it took. */
export interface Recording {
  readonly ends: readonly number[];
  readonly latencies: readonly number[];
  /** The number of answers other than 200, and of connections that broke. */
  readonly failures: number;
}

const [url = '', bodyFile = '', connections = '1', seconds = '1'] = process.argv.slice(2);
const body = readFileSync(bodyFile);
const ends: number[] = [];
const latencies: number[] = [];
let failures = 0;

async function ask(agent: Agent): Promise<void> {
  const started = performance.now();
  const ok = await new Promise<boolean>((resolve) => {
    const headers = { 'content-type': 'application/cbor', 'content-length': body.length };
    const call = request(url, { method: 'POST', agent, headers }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode === 200));
      response.on('error', () => resolve(false));
    });
    call.on('error', () => resolve(false));
    call.end(body);
  });
  const ended = performance.now();
  if (!ok) failures += 1;
  ends.push(performance.timeOrigin + ended);
  latencies.push(ended - started);
}

let stop = performance.now() + Number(seconds) * 1000;
process.stdin.on('end', () => {
  stop = 0;
});
process.stdin.resume();
await Promise.all(
  Array.from({ length: Number(connections) }, async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (performance.now() < stop) await ask(agent);
    agent.destroy();
  }),
);
const recording: Recording = { ends, latencies, failures };
process.stdin.destroy();
process.stdout.write(JSON.stringify(recording));
