/**
 * `node scripts/bench.js own-cost` measures what a request costs this server between HTTP and TensorFlow. Its body is
 * decoded. Its inputs are matched, queued, batched and given to the run. The outputs are split and encoded. The time of
 * the run does not count.
 *
 * Everything happens on the event loop of this process, without a socket. A number of callers ask at once, each again
 * as soon as it has its answer.
 */
import path from 'node:path';
import { parseArgs } from 'node:util';
import { cborAnswers, cborRequests } from '#dist/codec/codecs.js';
import { Cancellation } from '#dist/flow/cancellation.js';
import type { Services } from '#dist/http/services.js';
import { createServer } from '#dist/index.js';
import { predictDecoded } from '#dist/inference/predict-decoded.js';
import { disposeTensors } from '#dist/tfjs/tensors.js';
import { makeBody } from './body.ts';
import { spread, table } from './statistics.ts';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string', default: 'null' },
    callers: { type: 'string', default: '1,16,64' },
    rounds: { type: 'string', default: '9' },
    requests: { type: 'string', default: '60000' },
  },
});
const modelPath = path.join(positionals[0] ?? '', flags.model);
const server = createServer({ modelPath, port: 0, logLevel: 'silent' });
await server.start();
const body = await makeBody(server.address ?? '', flags.model);
// The services are private, except for this benchmark.
const { services } = server as unknown as { readonly services: Services };

const target = {};
const settled = () => {};

/** The microseconds of a request: the CPU time of this process, and TensorFlow's part of it. */
async function measure(callers: number, requests: number): Promise<{ all: number; run: number }> {
  let left = requests;
  let runMicros = 0;
  const call = async () => {
    while (left-- > 0) {
      const decoded = cborRequests.decode(Buffer.from(body), services.wireLimits, () => {});
      // As in the server, only long bodies are decoded in turns.
      const request = decoded instanceof Promise ? await decoded : decoded;
      // The fields are listed, because the work of the benchmark itself counts as well.
      const result = await predictDecoded(services, request, {
        target,
        deadline: performance.now() + 60_000,
        cancellation: new Cancellation(),
        settled,
        claim: () => {},
      });
      runMicros += result.runMicros / result.batchSize;
      cborAnswers.encodeAnswer(result);
      disposeTensors(result.outputs);
    }
  };
  const before = process.cpuUsage();
  await Promise.all(Array.from({ length: callers }, call));
  const { user, system } = process.cpuUsage(before);
  return { all: (user + system) / requests, run: runMicros / requests };
}

const rows: string[][] = [];
for (const callers of flags.callers.split(',').map(Number)) {
  const requests = Number(flags.requests);
  await measure(callers, requests);
  const rounds: Awaited<ReturnType<typeof measure>>[] = [];
  for (let round = 0; round < Number(flags.rounds); round++) rounds.push(await measure(callers, requests));
  rows.push([
    ...[flags.model, String(callers)],
    spread(rounds.map(({ all, run }) => all - run)),
    spread(rounds.map(({ run }) => run)),
  ]);
}
console.log(table(['model', 'callers', 'own CPU µs a request', 'TensorFlow µs'], rows));
await server.close();
process.exit(0);
