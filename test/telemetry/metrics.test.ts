/** `/metrics` of a server that was asked: what is counted, and that the table in the documents is true. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ints, map } from '../fixtures/cbor.ts';
import { HandlerServer, stopHandlerServersAfterEach } from '../fixtures/handlers.ts';
import { serveModels, stopServerAfterEach } from '../fixtures/servers.ts';

stopServerAfterEach();
stopHandlerServersAfterEach();

const table = fileURLToPath(new URL('../../docs/metrics.md', import.meta.url));
const labels = 'model="rows_guarded",version="1"';

describe('after requests', () => {
  it.each(['1', '2'])('each stage, batch and load is counted once, with --workers %s', async (workers) => {
    const { server } = await serveModels(['rows_guarded'], '--workers', workers);
    for (let i = 0; i < 7; i++)
      expect((await server.infer('/models/rows_guarded/infer', map({ x: ints(1, 2, 3) }))).status).toBe(200);
    expect((await server.infer('/models/rows_guarded/infer', map({ y: ints(1) }))).status).toBe(400);
    for (const stage of ['decode', 'queue', 'run', 'encode']) {
      expect(await server.metric(`tfjs_serving_${stage}_seconds_count{${labels}}`)).toBe(7);
      expect(await server.metric(`tfjs_serving_${stage}_seconds_bucket{${labels},le="+Inf"}`)).toBe(7);
      expect(await server.metric(`tfjs_serving_${stage}_seconds_sum{${labels}}`)).toBeGreaterThan(0);
    }
    const signature = `${labels},signature="serving_default"`;
    expect(await server.metric(`tfjs_serving_batch_rows_count{${signature}}`)).toBe(7);
    expect(await server.metric(`tfjs_serving_batch_rows_sum{${signature}}`)).toBe(21);
    expect(await server.metric(`tfjs_serving_batch_rows_bucket{${signature},le="2"}`)).toBe(0);
    expect(await server.metric(`tfjs_serving_batch_rows_bucket{${signature},le="4"}`)).toBe(7);
    expect(await server.metric('tfjs_serving_load_seconds_count{model="rows_guarded",result="ok"}')).toBe(1);
    expect(await server.metric(`inference_requests_total{${labels},status="INVALID_ARGUMENT"}`)).toBe(1);
  });
});

it('the table in docs/metrics.md has the metrics of the server, and no others', async () => {
  // Each metric has a sample: a pin and a handler are there.
  const handler = 'export default { predict: (inputs, { run }) => run(inputs) };';
  const files = { 'rows_guarded/1/handler.js': handler };
  const { server } = await HandlerServer.start(
    ['rows_guarded'],
    files,
    '--workers',
    '2',
    '--access-log',
    '/dev/null',
  );
  expect((await server.infer('/models/rows_guarded/infer', map({ x: ints(1) }))).status).toBe(200);
  expect((await server.update({ model: 'rows_guarded', version: 1 })).status).toBe(200);
  const text = await (await server.fetch('/metrics')).text();
  const rows = describeMetrics(text).map(
    ({ name, type, labels: names, help }) =>
      `| \`${name}\` | ${type} | ${names.map((each) => `\`${each}\``).join(', ')} | ${help} |`,
  );
  const document = await readFile(table, 'utf8');
  const [, shown] = /\| metric \| kind \| labels \| what \|\n\|[-|]+\|\n([\s\S]*?)\n\n/.exec(document) ?? [];
  expect(shown).toBe(rows.join('\n'));
});

interface Described {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly help: string;
}

/** The metrics of a text for Prometheus, those of the server itself first. */
function describeMetrics(text: string): Described[] {
  const found = [...text.matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)\n((?:[^#\n].*\n?)*)/gm)].map(
    ([, name = '', help = '', type = '', samples = '']) => {
      const names = [...samples.matchAll(/[{,]([a-z_]+)="/g)].map(([, label]) => label as string);
      return { name, help, type, labels: [...new Set(names)].filter((label) => label !== 'le') };
    },
  );
  const isOwn = ({ name }: Described) => /^(tfjs_serving|inference)_/.test(name);
  return found.filter(isOwn);
}
