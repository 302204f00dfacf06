/**
 * `POST /debug/profile`: what it records of a server under load, and what it refuses.
 */
import { describe, expect, it } from 'vitest';
import { int, ints, map, text } from '../../fixtures/cbor.ts';
import type { Answer, TestServer } from '../../fixtures/server.ts';
import { serveModels, stopServerAfterEach } from '../../fixtures/servers.ts';
import { until } from '../../fixtures/until.ts';

stopServerAfterEach();

const batchesOf4 = ['--batching-parameters', '{"max_batch_size": 4, "batch_timeout_micros": 60000000}'];

interface TraceEvent {
  readonly ph: string;
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur: number;
  readonly args: Readonly<Record<string, unknown>>;
}

interface CpuNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string };
}

function profile(server: TestServer, query: string, init: RequestInit = {}): Promise<Response> {
  return server.fetch(`/debug/profile${query}`, { method: 'POST', ...init });
}

async function refusal(response: Response): Promise<[status: number, code: string]> {
  const { error } = (await response.json()) as Answer['body'];
  return [response.status, error.code];
}

/** Takes a profile while `ask` is called again and again. */
async function underLoad(server: TestServer, query: string, ask: () => Promise<unknown>): Promise<Response> {
  let isOver = false;
  const taken = profile(server, query).finally(() => {
    isOver = true;
  });
  while (!isOver) await ask();
  return taken;
}

function slow(server: TestServer, steps: number): Promise<Answer> {
  return server.infer('/models/slow/infer', map({ x: ints(0), steps: int(steps) }));
}

/** One batch of four to `rows_guarded`, one run of `slow`, and so on: no two runs at once. */
async function mixedLoad(server: TestServer): Promise<void> {
  const batch = [1, 2, 3, 4].map((x) => server.infer('/models/rows_guarded/infer', map({ x: ints(x) })));
  for (const { status } of [...(await Promise.all(batch)), await slow(server, 5)]) expect(status).toBe(200);
}

function expectCpuProfile(profile: Answer['body']): void {
  const { nodes, samples, timeDeltas, startTime, endTime } = profile;
  expect(endTime).toBeGreaterThan(startTime);
  expect(samples.length).toBeGreaterThan(0);
  expect(timeDeltas).toHaveLength(samples.length);
  const ids = new Set(nodes.map(({ id }: CpuNode) => id));
  expect(samples.every((id: number) => ids.has(id))).toBe(true);
  const own = nodes.filter(({ callFrame }: CpuNode) => callFrame.url.includes('/dist/'));
  expect(own.some(({ callFrame }: CpuNode) => callFrame.functionName !== '')).toBe(true);
}

/** @param microseconds within which all of it lies */
function expectTrace(trace: Answer['body'], microseconds: number): TraceEvent[] {
  const { traceEvents, displayTimeUnit, otherData } = trace;
  expect(displayTimeUnit).toBe('ms');
  const named = traceEvents.filter(({ ph }: TraceEvent) => ph === 'M');
  const spans: TraceEvent[] = traceEvents.filter(({ ph }: TraceEvent) => ph === 'X');
  expect(named.length + spans.length).toBe(traceEvents.length);
  expect(named.map(({ args }: TraceEvent) => args['name'])).toEqual([
    'runs',
    expect.stringMatching(/device:CPU:0$/),
  ]);
  for (const { name, pid, tid, ts, dur } of spans) {
    expect(name).toBeTruthy();
    expect([pid, tid, ts, dur].every(Number.isFinite)).toBe(true);
    expect(dur).toBeGreaterThanOrEqual(0);
    expect(ts).toBeGreaterThanOrEqual(0);
    expect(ts + dur).toBeLessThanOrEqual(microseconds);
  }
  expectLanes(spans);
  const runs = spans.filter(({ pid }) => pid === named[0].pid);
  expect(otherData.traced_runs).toBe(runs.length);
  return spans;
}

function expectLanes(spans: readonly TraceEvent[]): void {
  const ends = new Map<string, number>();
  for (const { pid, tid, ts, dur } of spans.toSorted((a, b) => a.ts - b.ts)) {
    const lane = `${pid}/${tid}`;
    expect(ts).toBeGreaterThanOrEqual(ends.get(lane) ?? 0);
    ends.set(lane, ts + dur);
  }
}

describe('under load', () => {
  it('it shows our functions, and each operation of the traced runs with whose it was', async () => {
    const { server } = await serveModels(['rows_guarded', 'slow'], ...batchesOf4);
    const before = Date.now();
    const response = await underLoad(server, '?seconds=2', () => mixedLoad(server));
    // Both count in whole milliseconds.
    const microseconds = (Date.now() - before + 1) * 1000;
    expect(response.status).toBe(200);
    const { seconds, cpu_profile, step_trace, ...rest } = (await response.json()) as Answer['body'];
    expect([seconds, rest]).toEqual([2, {}]);
    expectCpuProfile(cpu_profile);
    const spans = expectTrace(step_trace, microseconds);
    const label = { version: 1, signature: 'serving_default' };
    expect(spans).toContainEqual(
      expect.objectContaining({
        name: 'rows_guarded 1 serving_default',
        args: { ...label, run: expect.any(Number), model: 'rows_guarded', batch_size: 4 },
      }),
    );
    // oneDNN has a MatMul of its own.
    const products = spans.filter(({ args }) => ['MatMul', '_MklMatMul'].includes(String(args['op'])));
    expect(products.length).toBeGreaterThanOrEqual(5);
    for (const { name, args } of products) {
      expect(name).toMatch(/MatMul/);
      expect(args).toMatchObject({ ...label, model: 'slow', batch_size: 1 });
    }
    expect(step_trace.otherData).toMatchObject({ runs_with_too_many_operations: 0 });
    // Nothing of it is left.
    await until(async () => (await server.metric('tfjs_serving_native{kind="tensors"}')) === 0, 'no tensors');
    expect(await server.metric('tfjs_serving_tensors')).toBe(0);
  });

  it('each kind alone is a file as viewers read it', async () => {
    const { server } = await serveModels(['rows_guarded', 'slow'], ...batchesOf4);
    const cpu = await underLoad(server, '?seconds=1&kind=cpu', () => mixedLoad(server));
    expect(cpu.headers.get('content-disposition')).toBe('attachment; filename="tfjs-serving.cpuprofile"');
    expect(cpu.headers.get('content-type')).toBe('application/json');
    expectCpuProfile(await cpu.json());
    const before = Date.now();
    const steps = await underLoad(server, '?seconds=1&kind=tensorflow', () => mixedLoad(server));
    const microseconds = (Date.now() - before + 1) * 1000;
    expect(steps.headers.get('content-disposition')).toBe('attachment; filename="tfjs-serving.trace.json"');
    expect(expectTrace(await steps.json(), microseconds).length).toBeGreaterThan(0);
  });

  it('a run that records too much is answered, told of, and none of its model is traced again', async () => {
    const { server } = await serveModels(['slow']);
    let answers = 0;
    const response = await underLoad(server, '?seconds=3&kind=tensorflow', async () => {
      expect(await slow(server, 1000)).toMatchObject({ status: 200, body: { outputs: { y: [1000 % 128] } } });
      answers += 1;
    });
    expect(answers).toBeGreaterThan(1);
    expect(await response.json()).toEqual({
      traceEvents: [],
      displayTimeUnit: 'ms',
      otherData: { traced_runs: 0, runs_with_too_many_operations: 1, runs_that_failed_or_go_on: 0 },
    });
  });

  it('a run that fails while it is traced is answered as ever', async () => {
    const { server } = await serveModels(['rows_guarded']);
    const response = await underLoad(server, '?seconds=1&kind=tensorflow', async () => {
      const { status, body } = await server.infer('/infer', map({ x: ints(-1) }));
      expect([status, body.error.code]).toEqual([400, 'INVALID_ARGUMENT']);
    });
    const { traceEvents, otherData } = (await response.json()) as Answer['body'];
    expect(traceEvents).toEqual([]);
    expect(otherData.runs_that_failed_or_go_on).toBeGreaterThan(0);
  });
});

describe('a request', () => {
  it('that says too little, too much or something else is refused', async () => {
    const { server } = await serveModels(['rows_guarded']);
    for (const query of [
      '',
      '?seconds=0',
      '?seconds=0.5',
      '?seconds=61',
      '?seconds=soon',
      '?seconds=',
      '?seconds=1&seconds=1',
      '?kind=cpu',
      '?seconds=1&kind=gpu',
      '?seconds=1&second=1',
    ]) {
      expect(await refusal(await profile(server, query)), query).toEqual([400, 'INVALID_ARGUMENT']);
    }
    const json = { 'content-type': 'application/json' };
    for (const [query, body] of [
      ['', '{"seconds": 61}'],
      ['', '[1]'],
      ['?seconds=1', '{"seconds": 1}'],
    ] as const) {
      const response = await profile(server, query, { headers: json, body });
      expect(await refusal(response), body).toEqual([400, 'INVALID_ARGUMENT']);
    }
    const asText = await profile(server, '', { body: '{"seconds": 1}' });
    expect(await refusal(asText)).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
  });

  it('may be JSON or CBOR', async () => {
    const { server } = await serveModels(['rows_guarded']);
    const json = { 'content-type': 'application/json' };
    const body = '{"seconds": 1, "kind": "tensorflow"}';
    expect((await profile(server, '', { headers: json, body })).status).toBe(200);
    const response = await profile(server, '', {
      headers: { 'content-type': 'application/cbor' },
      body: map({ seconds: int(1), kind: text('cpu') }),
    });
    expect(response.status).toBe(200);
    expect(await response.json()).toHaveProperty('timeDeltas');
  });

  it('is refused while another profile is taken, until that ends or its client leaves', async () => {
    const { server } = await serveModels(['rows_guarded']);
    const leaving = new AbortController();
    const first = profile(server, '?seconds=60', { signal: leaving.signal }).catch(() => 'left');
    await until(() => server.log.includes('recording a profile for 60 s'), 'the profile to begin');
    expect(await refusal(await profile(server, '?seconds=1'))).toEqual([409, 'ABORTED']);
    leaving.abort();
    expect(await first).toBe('left');
    await until(async () => (await profile(server, '?seconds=1&kind=cpu')).status === 200, 'its turn');
  });

  it('is answered 503 at SIGTERM, and does not keep the server', async () => {
    const { server } = await serveModels(['rows_guarded']);
    const taken = profile(server, '?seconds=60');
    await until(() => server.log.includes('recording a profile for 60 s'), 'the profile to begin');
    server.child.kill('SIGTERM');
    expect(await refusal(await taken)).toEqual([503, 'UNAVAILABLE']);
    await until(() => server.child.exitCode !== null, 'the end');
    expect(server.child.exitCode).toBe(0);
  });
});

it('under --runtime tfjs there is a profile of the event loop only, and it says so', async () => {
  const { server } = await serveModels(['rows_guarded'], '--runtime', 'tfjs');
  expect(await refusal(await profile(server, '?seconds=1&kind=tensorflow'))).toEqual([501, 'UNIMPLEMENTED']);
  const load = () => server.infer('/infer', map({ x: ints(1) }));
  const response = await underLoad(server, '?seconds=1', load);
  const { cpu_profile, step_trace, why_no_step_trace } = (await response.json()) as Answer['body'];
  expectCpuProfile(cpu_profile);
  expect(step_trace).toBeNull();
  expect(why_no_step_trace).toContain('serve with --runtime native');
});
