/**
 * Runs on the event loop: only those that cannot take long, answered like all others.
 */
import { expect, it } from 'vitest';
import { ints, map } from '../../fixtures/cbor.ts';
import type { TestServer } from '../../fixtures/server.ts';
import { serveModels, stopServerAfterEach } from '../../fixtures/servers.ts';
import { until } from '../../fixtures/until.ts';

stopServerAfterEach();

/** However slow the machine is, its runs count as short. */
const always = ['--inline-run-micros', '1000000'];

const rows = (...numbers: number[]) => map({ row: ints(...numbers) });

async function inlineRuns(server: TestServer, model: string): Promise<number> {
  const labels = `{model="${model}",version="1",signature="serving_default"}`;
  return (await server.metric(`tfjs_serving_inline_runs_total${labels}`)) ?? 0;
}

/** Asks until runs are made on the event loop. */
async function warm(server: TestServer): Promise<void> {
  await until(async () => {
    await server.infer('/infer', rows(1));
    return (await inlineRuns(server, 'rows_table')) > 0;
  }, 'a run on the event loop');
}

it('is told per signature where runs are made, and why', async () => {
  const { server } = await serveModels(
    [
      'rows_table',
      'rows',
      'rows_slow',
      'rows_guarded',
      'strings',
      'failing',
      'stateful',
      'unknown_rank',
      'big_graph',
    ],
    ...always,
  );
  await warm(server);
  const { models } = (await server.get('/models')).body;
  const told: Record<string, string> = {};
  for (const { name, batching } of models) told[name] = batching.serving_default.run;
  expect(told).toEqual({
    rows_table: expect.stringMatching(/^on the event loop, in batches of up to 1: one takes about \d+ µs$/),
    rows: 'on threads: no run has been timed yet',
    rows_slow: expect.stringMatching(/^on threads: operation `\w+` may take any time$/),
    rows_guarded: 'on threads: operation `If` may take any time',
    strings: 'on threads: input `text` holds strings, of any length',
    failing: 'on threads: input `w` may be of any size',
    stateful: 'on threads: operation `AssignAddVariableOp` may take any time',
    unknown_rank: 'on threads: input `x` may be of any size',
    big_graph: 'on threads: no run has been timed yet',
  });
});

it('they are answered, and fail, like those on threads; a bad request in a batch fails alone', async () => {
  const { server } = await serveModels(
    ['rows_table'],
    ...always,
    '--batch-timeout',
    '200',
    '--max-batch-size',
    '4',
  );
  await warm(server);
  const before = await inlineRuns(server, 'rows_table');
  const asked = [rows(0), rows(3, 9), rows(10), rows()];
  const answers = await Promise.all(asked.map((body) => server.infer('/infer', body)));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 400, 200]);
  expect(answers[0]?.body.outputs.y).toEqual([[0, 1]]);
  expect(answers[1]?.body.outputs.y).toEqual([
    [6, 7],
    [18, 19],
  ]);
  expect(answers[2]?.body.error).toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringMatching(/indices\[0\] = 10 is not in \[0, 10\)/),
  });
  expect(answers[3]?.body.outputs.y).toEqual([]);
  expect(await inlineRuns(server, 'rows_table')).toBeGreaterThan(before);
  expect(await server.metric('tfjs_serving_tensors')).toBe(0);
});

it.each(['4', '1000000'])(
  'runs of a size are made on threads first, --max-batch-size %s',
  async (largest) => {
    const { server } = await serveModels(['rows_table'], ...always, '--max-batch-size', largest);
    await warm(server);
    const many = rows(...Array.from({ length: 5000 }, (_, i) => i % 10));
    for (const [body, count] of [
      [rows(1, 2, 3, 4, 5), 5],
      [many, 5000],
    ] as const) {
      const before = await inlineRuns(server, 'rows_table');
      const answer = await server.infer('/infer', body);
      expect([answer.status, answer.body.outputs.y.length]).toEqual([200, count]);
      expect(await inlineRuns(server, 'rows_table')).toBe(before);
      await server.infer('/infer', body);
      expect(await inlineRuns(server, 'rows_table')).toBe(before + 1);
    }
  },
);

it.each([
  ['--inline-run-micros', '0'],
  ['--inter-threads', '0'],
])('none is made there with %s %s', async (...flags) => {
  const { server } = await serveModels(['rows_table'], ...flags);
  for (let i = 0; i < 50; i++) expect((await server.infer('/infer', rows(i % 10))).status).toBe(200);
  expect(await inlineRuns(server, 'rows_table')).toBe(0);
});
