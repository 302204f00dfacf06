/**
 * Settings: one table for flags, environment, file and help.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkFolder } from '../../src/config/model-path.ts';
import { completeSettings, parseSettings, unknownVariables } from '../../src/config/parse.ts';
import { flagOf, keyOf, settingNames, settings, variableOf } from '../../src/config/settings.ts';
import { encodeSessionOptions } from '../../src/engines/tensorflow/proto/config-proto.ts';
import { TestRepository } from '../fixtures/repository.ts';
import { runProgram, TestServer } from '../fixtures/server.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
let repository: TestRepository;

beforeEach(async () => {
  repository = await TestRepository.create('slow');
});

afterEach(() => repository.remove());

function configFile(config: object | string): string {
  const file = repository.path('config.json');
  writeFileSync(file, typeof config === 'string' ? config : JSON.stringify(config));
  return file;
}

describe('settings', () => {
  it('have the defaults of the table', () => {
    expect(parseSettings([], {})).toMatchObject({
      modelPath: 'saved_models',
      device: 'auto',
      port: 50000,
      host: '127.0.0.1',
      signature: 'serving_default',
      tags: ['serve'],
      watch: 'auto',
      scanInterval: 30,
      settle: 1,
      maxBodyBytes: 64 * 2 ** 20,
      maxInflightBytes: 2 ** 30,
      maxDepth: 16,
      maxElements: 2 ** 31 - 1,
      bodyTimeout: 30,
      idleTimeout: 75,
      requestTimeout: 120,
      warmupTimeout: 30,
      loadTimeout: 600,
      shutdownTimeout: 30,
    });
  });

  it('come from flags first, then the environment, then the file', () => {
    const config = configFile({ port: 1, host: 'file', device: 'cpu' });
    const parsed = parseSettings(['--port', '3', '--config', config], {
      TFJS_SERVING_PORT: '2',
      TFJS_SERVING_HOST: 'env',
    });
    expect(parsed).toMatchObject({ port: 3, host: 'env', device: 'cpu' });
    expect(parseSettings([], { TFJS_SERVING_CONFIG: config })).toMatchObject({ port: 1, host: 'file' });
  });

  it('can each be given in all three ways', () => {
    const example: Record<string, string> = {
      tags: 'a,b',
      allowPath: '/x',
      device: 'cpu',
      watch: 'off',
      runtime: 'tfjs',
      rehearse: 'off',
      accessLog: '/x',
      accessLogFormat: 'json',
      accessLogSample: '0.5',
      stateDir: '/x',
      logLevel: 'warn',
      logFormat: 'json',
      host: 'h',
      corsOrigin: 'https://x',
      modelPath: 'm',
      batchingParameters: '{"max_batch_size": 7}',
      defaultModel: 'd',
      signature: 's',
      apiKeyFile: 'f',
      visibleDevices: '0',
      gpuMemoryFraction: '0.5',
      gpuMemoryGrowth: 'true',
      strictReady: 'true',
      allowHandlers: 'true',
      serverTiming: 'true',
      xla: 'true',
      mixedPrecision: 'true',
    };
    for (const name of settingNames) {
      const value = example[name] ?? '7';
      const isSwitch = value === 'true';
      const byFlag = parseSettings(isSwitch ? [flagOf(name)] : [flagOf(name), value], {})?.[name];
      expect(byFlag, name).not.toEqual(parseSettings([], {})?.[name]);
      expect(parseSettings([], { [variableOf(name)]: value })?.[name], name).toEqual(byFlag);
      expect(parseSettings(['--config', configFile({ [keyOf(name)]: value })], {})?.[name], name).toEqual(
        byFlag,
      );
    }
  });

  it('can be given by a former name, which yields to the one of today', () => {
    expect(parseSettings(['--trial', 'on'], {})?.rehearse).toBe('on');
    expect(parseSettings(['--trial', 'on', '--rehearse', 'off'], {})?.rehearse).toBe('off');
    expect(parseSettings([], { TFJS_SERVING_TRIAL: 'on' })?.rehearse).toBe('on');
    expect(parseSettings(['--config', configFile({ trial: 'on' })], {})?.rehearse).toBe('on');
    expect(completeSettings({ trial: 'on' }).rehearse).toBe('on');
    expect(unknownVariables({ TFJS_SERVING_TRIAL: 'on' })).toEqual([]);
    expect(() => parseSettings(['--trial', 'maybe'], {})).toThrow(/^--trial: expected auto\|on\|off/);
  });

  it.each([
    [
      ['--port', '70000'],
      /^--port: expected a number of at most 65535 \(the port to listen on; 0 picks a free one\), got 70000$/,
    ],
    [['--device', 'tpu'], /^--device: expected cpu\|gpu\|auto \(.*\), got tpu$/],
    [['--settle=-1'], /^--settle: expected a number of at least 0 .*, got -1$/],
    [
      ['--max-body-bytes', '64MB'],
      /^--max-body-bytes: expected a size in bytes, KiB, MiB or GiB, for example 64MiB, .*, got 64MB$/,
    ],
    [['--port', ''], /^--port: expected a number .*, got ''$/],
    [['--port', '0x50'], /^--port: expected a number .*, got 0x50$/],
    [['--port', '8080 '], /^--port: expected a number .*, got 8080 $/],
    [['--settle', ''], /^--settle: expected a number .*, got ''$/],
    [['--tags', 'a,,b'], /^--tags: expected TAG,TAG .*, got a,,b$/],
    [['--allow-path', '/models,'], /^--allow-path: expected PATH,PATH .*, got \/models,$/],
    [['--max-body-bytes', '0.5'], /^--max-body-bytes: .* for example 64MiB.*, got 0.5$/],
    [['--max-body-bytes', '99999999GiB'], /^--max-body-bytes: .* up to \d+ bytes/],
    [['--inter-threads=-2'], /^--inter-threads: expected a number of at least -1 .*, got -2$/],
    [['--prot', '1'], /--prot/],
    [['./models'], /^serve takes no arguments, got `.\/models`: did you mean --model-path .\/models\?/],
    [['--model', 'x'], /no flag `--model` \(did you mean `--model-path`\?\)/],
    [['-p', '1'], /no flag `-p` \(did you mean `--port`\?\)/],
  ])('%j is refused, with what is allowed', (args, message) => {
    expect(() => parseSettings(args, {})).toThrow(message);
  });

  it.each(settingNames.filter((name) => settings[name].value === 'SECONDS'))(
    '%s is not longer than a timer of Node can be',
    (name) => {
      // At 2^31 milliseconds it would fire at once: every request would be late.
      expect(() => parseSettings([flagOf(name), String(2 ** 31 / 1000)], {})).toThrow(
        /a number of at most 2000000 /,
      );
      expect(parseSettings([flagOf(name), '1000000'], {})?.[name]).toBe(1_000_000);
    },
  );

  it.each([{ port: true }, { port: null }, { port: [] }, { settle: [5] }, { max_depth: '' }, { watch: {} }])(
    'a config file with %j is refused, not read as some number',
    (config) => {
      const [key, value] = Object.entries(config)[0] as [string, unknown];
      const shown = value === '' ? "''" : JSON.stringify(value);
      const escaped = shown.replaceAll(/[[\]{}]/g, '\\$&');
      expect(() => parseSettings(['--config', configFile(config)], {})).toThrow(
        new RegExp(`^${key} in .*config\\.json: expected .*, got ${escaped}$`),
      );
    },
  );

  it('a Service of Kubernetes called tfjs-serving is not taken for a port', () => {
    const environment = { TFJS_SERVING_PORT: 'tcp://10.0.0.1:50000' };
    expect(parseSettings([], environment)?.port).toBe(50000);
    expect(parseSettings(['--config', configFile({ port: 1 })], environment)?.port).toBe(1);
  });

  it('names the variable or the key that a wrong value came from', () => {
    expect(() => parseSettings([], { TFJS_SERVING_PORT: 'x' })).toThrow(
      /^TFJS_SERVING_PORT: expected a number .*, got x$/,
    );
    expect(() => parseSettings(['--config', configFile({ port: 'x' })], {})).toThrow(
      /^port in .*config\.json: expected .*, got x$/,
    );
    expect(() => parseSettings(['--config', configFile({ prot: 1 })], {})).toThrow(
      /^--config .*config\.json: there is no setting `prot` \(did you mean `port`\?\); there are model_path, /,
    );
    expect(() => parseSettings(['--config', configFile('{')], {})).toThrow(/cannot be read/);
    expect(() => parseSettings(['--config', configFile('[]')], {})).toThrow(/must be a JSON object/);
  });

  it('sizes take units', () => {
    for (const [text, bytes] of [
      ['65536', 65536],
      ['64KiB', 65536],
      ['1.5 MiB', 1572864],
      ['1gib', 2 ** 30],
    ] as const) {
      expect(parseSettings(['--max-body-bytes', text], {})?.maxBodyBytes).toBe(bytes);
    }
  });
});

describe('the program', () => {
  it('--help lists every setting', async () => {
    const { code, output } = await runProgram(['serve', '--help']);
    expect(code).toBe(0);
    for (const name of settingNames) {
      const line = output.split('\n').find((each) => each.startsWith(`  ${flagOf(name)} `)) ?? '';
      const { help, value } = settings[name];
      expect(line).toContain(`${flagOf(name)} ${value}`.trimEnd());
      expect(line).toContain(help);
      // A default that is written by hand still says what the schema does.
      const written = /\(([^()]*)\)$/.exec(line)?.[1] ?? '';
      const chosen = parseSettings([], {})?.[name];
      if (value === 'BYTES') {
        expect(parseSettings([flagOf(name), written], {})?.[name], line).toBe(chosen);
      } else if (chosen !== undefined) {
        expect(written, line).toBe(String(chosen));
      } else {
        expect(written, line).not.toBe('');
      }
    }
  });

  it('npx tfjs-serving works in the checkout', () => {
    const output = execFileSync('npx', ['--no-install', 'tfjs-serving', '--version'], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(output).toMatch(/^tfjs-serving \d+\.\d+\.\d+, TensorFlow\.js 4\.22\.0, Node /);
  });

  it('--device gpu without a GPU ends the start with one sentence; auto says what it took', async () => {
    const { code, output } = await runProgram([
      'serve',
      '--port',
      '0',
      '--model-path',
      repository.root,
      '--device',
      'gpu',
    ]);
    const ours = output.split('\n').filter((line) => line.startsWith('tfjs-serving: '));
    expect([code, ours.length]).toEqual([1, 1]);
    expect(ours[0]).toContain('TensorFlow finds no usable GPU here');
    const server = await TestServer.start({ args: ['--model-path', repository.root] });
    expect(server.log).toMatch(/TensorFlow 2\.\d+\.\d+ on cpu \(--device auto, --runtime native\)/);
    await server.stop();
  });

  it.each(['info', 'debug'])(
    "in JSON mode at level %s stdout is JSON, line for line; TensorFlow's lines go to stderr",
    async (level) => {
      const server = await TestServer.start({
        args: ['--model-path', repository.root, '--log-format', 'json', '--log-level', level],
        // On some processors it is off, and then TensorFlow says nothing.
        env: { TF_ENABLE_ONEDNN_OPTS: '1' },
      });
      await server.stop();
      const lines = server.output.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      expect(lines.some(({ msg }) => /^serving on /.test(msg))).toBe(true);
      // absl's and oneDNN's lines come at every level.
      expect(server.log).toContain('oneDNN');
      expect(server.output.stdout).not.toContain('oneDNN');
    },
  );
});

describe('a variable that is no setting', () => {
  it('is told, with the one that was meant', () => {
    const told = unknownVariables({ TFJS_SERVING_PROT: '1', TFJS_SERVING_WHATEVER_ELSE: '', PORT: '2' });
    expect(told).toEqual([
      'the environment variable `TFJS_SERVING_PROT` means nothing (did you mean `TFJS_SERVING_PORT`?)',
      'the environment variable `TFJS_SERVING_WHATEVER_ELSE` means nothing',
    ]);
  });

  it('is not told where the program reads it otherwise, or Kubernetes sets it', () => {
    const others = ['API_KEYS', 'CACHE', 'CONFIG', 'URL'];
    const ofServices = [
      'SERVICE_HOST',
      'SERVICE_PORT_HTTP',
      'PORT_50000_TCP_ADDR',
      'GPU_PORT_80_TCP',
      'GPU_PORT',
    ];
    const names = [...others, ...ofServices].map((name) => `TFJS_SERVING_${name}`);
    expect(unknownVariables(Object.fromEntries(names.map((name) => [name, 'x'])))).toEqual([]);
    expect(unknownVariables(Object.fromEntries(settingNames.map((name) => [variableOf(name), 'x'])))).toEqual(
      [],
    );
  });
});

describe('a config file in YAML', () => {
  function yamlFile(text: string): string {
    const file = repository.path('config.yaml');
    writeFileSync(file, text);
    return file;
  }

  const parse = (text: string) => parseSettings(['--config', yamlFile(text)], {});

  it('gives the same settings as one in JSON', () => {
    const inYaml = parse(`
# The models of the team.
model_path: /srv/models
port: 8080
watch: off
strict_ready: true
max_body_bytes: 64 MiB
tags:
  - serve
  - gpu
batching_parameters: {max_batch_size: 7}
`);
    const values = {
      model_path: '/srv/models',
      port: 8080,
      watch: 'off',
      strict_ready: true,
      max_body_bytes: '64 MiB',
      tags: ['serve', 'gpu'],
      batching_parameters: { max_batch_size: 7 },
    };
    expect(inYaml).toEqual(parseSettings(['--config', configFile(values)], {}));
    expect(inYaml).toMatchObject({ modelPath: '/srv/models', watch: 'off', strictReady: true });
  });

  it.each(['', '# nothing yet\n', '---\n'])('may say nothing, as %j does', (text) => {
    expect(parse(text)).toEqual(parseSettings([], {}));
  });

  it.each([
    ['a: 1\n', /, line 1: there is no setting `a`; there are model_path, /],
    [
      'port: 1\nmodel-path: x\n',
      /, line 2: there is no setting `model-path` \(did you mean `model_path`\?\); /,
    ],
    ['port: 1\n<<: {host: x}\n', /, line 2: there is no setting `<<`/],
    [
      'host: h\n\nport:\n  90000\n',
      /^port in .*config\.yaml, line 3: expected a number of at most 65535 .*, got 90000$/,
    ],
    ['port:\n', /^port in .*config\.yaml, line 1: expected a number .*, got null$/],
    ['settle: [5]\n', /^settle in .*, line 1: expected .*, got \[5\]$/],
    [
      'batching_parameters:\n  max_batchsize: 3\n',
      /^batching_parameters in .*, line 1: `max_batchsize` is not known \(did you mean `max_batch_size`\?\); there are `enabled`, /,
    ],
    [
      'batching_parameters:\n  max_batch_size: many\n',
      /^batching_parameters in .*, line 1: expected .* at `max_batch_size`, got the text `many`$/,
    ],
    ['port: 1\nport: 2\n', /^--config .*config\.yaml, line 2, cannot be read: Map keys must be unique$/],
    ['host: [a\n', /^--config .*, line \d, cannot be read: Flow sequence /],
    ['host: *x\n', /^--config .*, line 1, cannot be read: Unresolved alias/],
    ['host: !secret x\n', /^--config .*, line 1, cannot be read: Unresolved tag: !secret$/],
    ['port: 1\n---\nport: 2\n', /^--config .*, line 2, cannot be read: Source contains multiple documents/],
    ['- port\n', /^--config .* must be a YAML mapping of settings$/],
    ['port:8080\n', /^--config .* must be a YAML mapping of settings$/],
  ])('%j is refused, with the line', (text, message) => {
    expect(() => parse(text)).toThrow(message);
  });

  it('whose aliases stand for too much is refused', () => {
    const levels = ['host: &a [x,x,x,x,x,x,x,x,x]'];
    for (const [name, before] of ['ba', 'cb', 'dc', 'ed', 'fe'].map((pair) => [...pair]))
      levels.push(`${name}: &${name} [${Array(9).fill(`*${before}`).join(',')}]`);
    expect(() => parse(levels.join('\n'))).toThrow(/, line \d, cannot be read: Excessive alias count/);
  });
});

it('a --config in single quotes says so', () => {
  const file = configFile("{'port': 1}");
  expect(() => parseSettings(['--config', file], {})).toThrow(
    `--config ${file} cannot be read: JSON has its texts in double quotes, and this one is in single ones: line 1, column 2`,
  );
});

describe('a folder of models that may not be read', () => {
  const own = process.getuid?.();

  /** Rights do not bind root, who can become somebody else. */
  function asSomebody(act: () => void): void {
    if (own === 0) process.seteuid?.(65_534);
    try {
      act();
    } finally {
      if (own === 0) process.seteuid?.(0);
    }
  }

  afterEach(() => chmodSync(repository.root, 0o755));

  it.each([
    ['listed', 0o311],
    ['entered', 0o644],
    ['either', 0o000],
  ])('is refused with the reason where it may not be %s', (_, mode) => {
    chmodSync(repository.root, 0o755);
    asSomebody(() => expect(() => checkFolder(repository.root)).not.toThrow());
    chmodSync(repository.root, mode);
    asSomebody(() =>
      expect(() => checkFolder(repository.root)).toThrow(
        `--model-path ${repository.root} cannot be read: permission denied (EACCES): let the user that the server runs as`,
      ),
    );
  });
});

describe("TensorFlow's options that hold for the process", () => {
  async function threads(...args: string[]): Promise<number> {
    const server = await TestServer.start({ args: ['--model-path', repository.root, ...args] });
    try {
      return readdirSync(path.join('/proc', String(server.child.pid), 'task')).length;
    } finally {
      await server.stop();
    }
  }

  it.runIf(process.platform === 'linux')(
    '--intra-threads sets the threads within an op, although tfjs opens its own context',
    async () => {
      const [one, nine] = [await threads('--intra-threads', '1'), await threads('--intra-threads', '9')];
      expect(nine - one).toBeGreaterThanOrEqual(7);
    },
  );

  it.runIf(process.platform === 'linux')('--run-threads sets how many models run at once', async () => {
    const [one, nine] = [await threads('--run-threads', '1'), await threads('--run-threads', '9')];
    expect(nine - one).toBeGreaterThanOrEqual(7);
  });

  it('go into the ConfigProto as TensorFlow numbers its fields', () => {
    const options = {
      hideGpus: true,
      intraThreads: 3,
      interThreads: -1,
      gpuMemoryGrowth: true,
      gpuMemoryFraction: 0.5,
      visibleDevices: '0,1',
    };
    // Fields 1 (map GPU → 0), 2, 5, 6 (GPUOptions: 1, 4, 5) and 7 of config.proto, by hand.
    const gpu = ['09000000000000e03f', '2001', '2a03302c31'].join('');
    const expected = [
      '0a070a03475055' + '1000',
      '1003',
      '28ffffffffffffffffff01',
      `32${(gpu.length / 2).toString(16).padStart(2, '0')}${gpu}`,
      '3801',
    ];
    const hex = Buffer.from(encodeSessionOptions(options)).toString('hex');
    for (const field of expected) expect(hex).toContain(field);
    expect(hex.length).toBe(expected.join('').length);
  });

  it.each([
    // GraphOptions (10): OptimizerOptions (3) with 5 and 7, RewriterConfig (10) with 23 or 31.
    [{ xla: true }, '5206' + '1a04' + '2801' + '3801'],
    [{ mixedPrecision: 'float16' }, '5205' + '5203' + 'b80101'],
    [{ mixedPrecision: 'bfloat16' }, '5205' + '5203' + 'f80101'],
    [{ xla: true, mixedPrecision: 'bfloat16' }, '520b' + '1a0428013801' + '5203f80101'],
    [{}, ''],
  ] as const)('and those of each session: %j', (options, graphOptions) => {
    const plain = Buffer.from(encodeSessionOptions({})).toString('hex');
    const hex = Buffer.from(encodeSessionOptions(options)).toString('hex');
    expect(hex).toContain(graphOptions);
    expect(hex.length).toBe(plain.length + graphOptions.length);
  });
});
