/**
 * Good bodies, slightly changed, in process and over HTTP: each is answered or refused, and soon.
 *
 * `make fuzz` does this for five minutes with a new seed (`SECONDS=`, `FUZZ_SEED=`). Here it is short and always the
 * same.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { beforeAll, expect, it } from 'vitest';
import { residentMebibytes } from '../../bench/process.ts';
import { requestCodecs } from '../../src/codec/codecs.ts';
import { type InferBody, tensorsInSteps } from '../../src/codec/infer-body.ts';
import { ServingError } from '../../src/errors.ts';
import type { Claim } from '../../src/flow/steps.ts';
import { runInTurns } from '../../src/flow/turns.ts';
import { readRequest } from '../../src/surfaces/oip-rest/read-request.ts';
import { disposeTensors } from '../../src/tfjs/tensors.ts';
import { limits, makeSignature } from '../fixtures/codec.ts';
import { TestRepository } from '../fixtures/repository.ts';
import { openTestRuntime } from '../fixtures/runtime.ts';
import { TestServer } from '../fixtures/server.ts';
import { type GoodRequest, goodRequest } from './good-requests.ts';
import { mutate } from './mutations.ts';
import { Random } from './random.ts';

const seconds = Number(process.env['FUZZ_SECONDS'] ?? 0);
const isLong = seconds > 0;
const seed = Number(process.env['FUZZ_SEED'] ?? (isLong ? Date.now() % 2 ** 32 : 1));

/** Milliseconds that one body may take: generous on a machine that runs other tests beside this. */
const hang = isLong ? 1000 : 10_000;

/** The status of what the protocol has and the server does not: sequences, complex numbers. */
const notDone = 501;

/** MiB that the server may grow by, once it is warm. */
const growth = 128;

beforeAll(() => {
  if (isLong) console.log(`seed ${seed}: FUZZ_SEED=${seed} make fuzz does the same`);
});

interface Tried extends GoodRequest {
  readonly kind: string;
  readonly isChanged: boolean;
}

function* requests(part: number, count: number): Generator<Tried, void, void> {
  const random = new Random(seed + part);
  const end = performance.now() + (seconds * 1000) / 2;
  for (let i = 0; isLong ? performance.now() < end : i < count; i++) {
    const good = goodRequest(random);
    const isChanged = random.isTrue(0.5);
    yield isChanged ? { ...good, isChanged, ...changesOf(random, good) } : { ...good, isChanged };
  }
}

/** Another body, and at times a header that says another length of its JSON. */
function changesOf(random: Random, { body, oip }: GoodRequest): Pick<GoodRequest, 'body' | 'oip'> {
  const changed = mutate(random, body);
  if (!oip) return { body: changed };
  const jsonLength = random.isTrue(0.2) ? random.below(changed.length + 2) : oip.jsonLength;
  return { body: changed, oip: { jsonLength } };
}

/** Keeps the body for whoever looks into it. @returns what was found, for people */
function finding({ kind, signature, type, body }: Tried, what: string): string {
  mkdirSync('build/fuzz', { recursive: true });
  const file = `build/fuzz/${kind.replaceAll(/\W+/g, '-')}-${Buffer.from(body).toString('base64url').length}-${Date.now()}.bin`;
  writeFileSync(file, body);
  return `${kind} (${type}, signature ${signature}): ${what}; ${file}: ${Buffer.from(body).toString('base64').slice(0, 400)}`;
}

it('in process, decoders give inputs or a refusal', { timeout: 1000 * (seconds + 600) }, async () => {
  openTestRuntime();
  const found: string[] = [];
  const counts: Record<string, number> = {};
  for (const tried of requests(0, 1500)) {
    const read = readerOf(tried);
    if (!read) continue;
    let { outcome, message, took } = await decode(read, tried);
    // Once more, alone: the machine may have been busy with something else.
    if (took > hang) ({ outcome, message, took } = await decode(read, tried));
    if (
      !['ok', 'INVALID_ARGUMENT', 'PAYLOAD_TOO_LARGE', 'UNIMPLEMENTED'].includes(outcome) ||
      (!tried.isChanged && outcome !== 'ok')
    )
      found.push(finding(tried, `${outcome}: ${message}`));
    if (took > hang) found.push(finding(tried, `it took ${took.toFixed(0)} ms`));
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  if (isLong) console.log('in process:', counts);
  expect(found.slice(0, 10)).toEqual([]);
});

type Read = (body: Uint8Array, claim: Claim) => InferBody | Promise<InferBody>;

/** Undefined for a type that only the server reads. */
function readerOf({ type, oip }: Tried): Read | undefined {
  if (oip) return (body, claim) => readRequest(body, oip.jsonLength ?? body.length, limits, claim);
  const codec = requestCodecs.find(({ mediaType }) => mediaType === type);
  return codec && ((body, claim) => codec.decode(body, limits, claim));
}

async function decode(
  read: Read,
  { body, signature }: Tried,
): Promise<{ outcome: string; message: string; took: number }> {
  let claimed = body.length;
  const claim = (bytes: number) => {
    claimed += bytes;
    if (claimed > 2 ** 26) throw new ServingError('PAYLOAD_TOO_LARGE', 'too much');
  };
  const started = performance.now();
  let [outcome, message] = ['ok', ''];
  try {
    const decoded = await read(body, claim);
    const spec = makeSignature({ x: [signature, null] });
    disposeTensors(await runInTurns(tensorsInSteps(decoded, spec, limits, claim)));
  } catch (error) {
    [outcome, message] = [error instanceof ServingError ? error.code : 'a fault', String(error)];
  }
  return { outcome, message, took: performance.now() - started };
}

it('over HTTP, requests are answered, at least half of them with 200', {
  timeout: 1000 * (seconds + 600),
}, async () => {
  const repository = await TestRepository.create('identity');
  const server = await TestServer.start({ args: ['--model-path', repository.root, '--settle', '0.1'] });
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const found: string[] = [];
  const slow: Tried[] = [];
  const counts: Record<number, number> = {};
  try {
    let warm: number | undefined;
    let batch: Promise<void>[] = [];
    let asked = 0;
    for (const tried of requests(1, 1200)) {
      batch.push(
        ask(server, agent, tried).then(
          ({ status, text, took }) => {
            counts[status] = (counts[status] ?? 0) + 1;
            if (status === 0 || (status >= 500 && status !== notDone))
              found.push(finding(tried, `${status} ${text.slice(0, 300)}`));
            if (!tried.isChanged && status !== 200)
              found.push(finding(tried, `a good one is ${status} ${text}`));
            if (took > hang) slow.push(tried);
          },
          (error) => void found.push(finding(tried, String(error))),
        ),
      );
      asked += 1;
      if (batch.length < 8) continue;
      await Promise.all(batch);
      batch = [];
      if (asked === 400) warm = residentMebibytes(server.child.pid as number);
      if (server.child.exitCode !== null || server.child.signalCode !== null) break;
    }
    await Promise.all(batch);
    // Once more, alone: the machine may have been busy with something else.
    for (const tried of slow) {
      const { took } = await ask(server, agent, tried);
      if (took > hang) found.push(finding(tried, `it took ${took.toFixed(0)} ms`));
    }
    expect(server.child.exitCode).toBeNull();
    expect(server.child.signalCode).toBeNull();
    await server.nothingIsLeft();
    const grown = residentMebibytes(server.child.pid as number) - (warm ?? 0);
    if (isLong) console.log('over HTTP:', counts, `grown by ${grown.toFixed(0)} MiB`);
    expect(found.slice(0, 10)).toEqual([]);
    expect(counts[200]).toBeGreaterThan(asked / 2);
    expect(grown).toBeLessThan(growth);
  } finally {
    agent.destroy();
    await server.stop();
    await repository.remove();
  }
});

function ask(
  { url }: TestServer,
  agent: Agent,
  { signature, type, body, oip }: Tried,
): Promise<{ status: number; text: string; took: number }> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': type,
      accept: 'application/json',
      'content-length': body.length,
      ...(oip?.jsonLength === undefined ? {} : { 'inference-header-content-length': oip.jsonLength }),
    };
    const path = oip ? '/v2/models/identity/infer' : `/models/identity/infer?signature=${signature}`;
    const req = request(`${url}${path}`, { method: 'POST', headers, agent }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status: res.statusCode ?? 0, text, took: performance.now() - started });
      });
    });
    req.on('error', reject);
    req.end(body);
  });
}
