/**
 * TensorFlow's options, from the command line to the answer of `/model_info`. Settings that contradict each other are
 * refused. If this machine lacks something, the server warns.
 */
import { expect, it } from 'vitest';
import { checkCombinations } from '../../src/config/combinations.ts';
import { parseSettings } from '../../src/config/parse.ts';
import type { Settings } from '../../src/config/settings.ts';
import { thisProcessor, whyNoBfloat16 } from '../../src/engines/tensorflow/compute-mode.ts';
import { ints, list, map, text } from '../fixtures/cbor.ts';
import { runProgram } from '../fixtures/server.ts';
import { serveModels, stopServerAfterEach } from '../fixtures/servers.ts';

stopServerAfterEach();

const check = (...args: string[]) => checkCombinations(parseSettings(args, {}) as Settings);

it.each([
  [['--runtime', 'tfjs', '--xla'], '--xla has no effect under --runtime tfjs'],
  [['--runtime', 'tfjs', '--mixed-precision'], '--mixed-precision has no effect under --runtime tfjs'],
  [
    ['--runtime', 'tfjs', '--gpu-memory-fraction', '0.5'],
    '--gpu-memory-fraction has no effect under --runtime tfjs',
  ],
  [['--device', 'cpu', '--gpu-memory-growth'], '--gpu-memory-growth has no effect under --device cpu'],
  [
    ['--device', 'cpu', '--gpu-memory-fraction', '1'],
    '--gpu-memory-fraction has no effect under --device cpu',
  ],
  [['--device', 'cpu', '--visible-devices', '0'], '--visible-devices has no effect under --device cpu'],
])('%j is refused', (args, sentence) => {
  expect(() => check(...args)).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(sentence) }),
  );
});

it.each([
  [['--xla', '--mixed-precision', '--device', 'cpu']],
  [['--runtime', 'tfjs', '--gpu-memory-growth']],
  [['--device', 'auto', '--gpu-memory-growth']],
])('%j is accepted', (args) => {
  expect(() => check(...args)).not.toThrow();
});

it('a switch that a file turns off asks for nothing', () => {
  const off = parseSettings([], { TFJS_SERVING_XLA: 'false', TFJS_SERVING_RUNTIME: 'tfjs' });
  expect(() => checkCombinations(off as Settings)).not.toThrow();
});

it('the program ends with 2 and one sentence', async () => {
  const { code, output } = await runProgram(['serve', '--port', '0', '--runtime', 'tfjs', '--xla']);
  expect([code, output.trim()]).toEqual([
    2,
    'tfjs-serving: --xla has no effect under --runtime tfjs, where upstream opens its sessions without options: ' +
      'leave one of them out',
  ]);
});

it('the log and /model_info say what is on', async () => {
  const { server } = await serveModels(['quantised'], '--xla', '--mixed-precision');
  const whyNot = whyNoBfloat16(thisProcessor());
  const precision = whyNot === undefined ? 'bfloat16' : null;
  const shown = precision ? ', --mixed-precision in bfloat16' : '';
  expect(server.log).toContain(`(--device auto, --runtime native, --xla${shown})`);
  if (whyNot !== undefined) expect(server.log).toContain(`--mixed-precision has no effect: ${whyNot}`);
  const { engine } = (await server.get('/model_info')).body;
  expect(engine).toEqual({ runtime: 'native', xla: true, mixed_precision: precision });
});

it('what this machine lacks is warned of, and it serves', async () => {
  process.env['TF_ENABLE_ONEDNN_OPTS'] = '0';
  try {
    const { server } = await serveModels(['quantised'], '--mixed-precision', '--gpu-memory-growth');
    expect(server.log).toMatch(/WARN: --mixed-precision has no effect: /);
    expect(server.log).toMatch(/WARN: --gpu-memory-growth has no effect: no GPU is used here/);
    const { engine } = (await server.get('/model_info')).body;
    expect(engine).toEqual({ runtime: 'native', xla: false, mixed_precision: null });
  } finally {
    delete process.env['TF_ENABLE_ONEDNN_OPTS'];
  }
});

async function counted(server: { metric(name: string): Promise<number | undefined> }, what: string) {
  return server.metric(
    `tfjs_serving_${what}_total{model="rows_table",version="1",signature="serving_default"}`,
  );
}

it('under --xla batches are padded to sizes that double, and others stay off the event loop', async () => {
  const { server } = await serveModels(['rows_table'], '--xla', '--inline-run-micros', '1000000');
  const { allowed_batch_sizes: sizes } = (await server.get('/models/rows_table')).body.batching
    .serving_default;
  expect(sizes).toEqual([1, 2, 4, 8, 16, 32]);
  const ask = (rows: number, outputs: string[] = []) => {
    const inputs = map({ row: ints(...Array.from({ length: rows }, (_, i) => i % 10)) });
    const selection = outputs.length > 0 ? { outputs: list(...outputs.map(text)) } : {};
    return server.infer('/infer', map({ inputs, ...selection }));
  };
  // Three runs of a size on threads, with all outputs; from then on it is compiled, or never will be.
  for (const [rows, padding] of [
    [5, 3],
    [8, 0],
    [7, 1],
  ] as const) {
    const before = (await counted(server, 'padding_rows')) ?? 0;
    expect((await ask(rows, ['y'])).body.outputs.y).toHaveLength(rows);
    expect((await ask(rows)).body.outputs.y).toHaveLength(rows);
    expect(await counted(server, 'padding_rows')).toBe(before + 2 * padding);
    expect(await counted(server, 'inline_runs')).toBe(0);
  }
  await ask(6);
  expect(await counted(server, 'inline_runs')).toBe(1);
  // 40 rows are not padded: a size of their own, in a bucket with no other.
  for (let i = 0; i < 3; i++) expect((await ask(40)).body.outputs.y).toHaveLength(40);
  expect(await counted(server, 'inline_runs')).toBe(1);
  await ask(41);
  expect(await counted(server, 'inline_runs')).toBe(1);
  await ask(40);
  expect(await counted(server, 'inline_runs')).toBe(2);
});
