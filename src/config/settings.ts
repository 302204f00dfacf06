/**
 * Every setting of the server. The flags, the environment variables, the keys of the config file, `--help` and the
 * checks all come from this table.
 */

import { constants } from 'node:buffer';
import { z } from 'zod';
import { keysOf } from '../flow/keys.js';
import { isOrigin } from '../http/access/page-origins.js';
import { batchingSchema } from '../stores/serving-schema.js';
import { accessLogFormats } from '../telemetry/access-log.js';
import { bytes, count, flag, list, number, parseJson, seconds, someSeconds } from './setting-kinds.js';

/** One setting, with its unit and meaning as `--help` prints them. */
interface Setting {
  readonly schema: z.ZodType;
  /** The schema of what a value that is an object holds. */
  readonly within?: z.ZodType;
  /** The placeholder of the value in `--help`; empty for a switch. */
  readonly value: string;
  /** The default that `--help` shows, if it is not that of the schema. */
  readonly shownDefault?: string;
  readonly help: string;
}

export const settings = {
  modelPath: {
    schema: z.string().min(1).default('saved_models'),
    value: 'PATH',
    help: "a repository of models, one model's folder of versions, or one SavedModel; if the folder is not there, a server on loopback serves the demo models",
  },
  device: {
    schema: z.enum(['cpu', 'gpu', 'auto']).default('auto'),
    value: 'cpu|gpu|auto',
    help: 'the device that runs models',
  },
  port: {
    schema: number(z.number().int().min(0).max(65535)).default(50000),
    value: 'N',
    help: 'the port to listen on; 0 picks a free one',
  },
  host: {
    schema: z.string().min(1).default('127.0.0.1'),
    value: 'ADDRESS',
    help: 'the address to listen on; 0.0.0.0 for all',
  },
  allowHost: {
    schema: list.optional(),
    value: 'NAME,NAME',
    shownDefault: "this machine's names on loopback without keys, else any",
    help: 'more host names that the Host and Origin headers may have; * allows any Host',
  },
  corsOrigin: {
    schema: list.pipe(z.array(z.string().refine(isOrigin))).optional(),
    value: 'ORIGIN,ORIGIN|*',
    shownDefault: 'none',
    help: 'the origins, as in https://shop.example.org, whose pages may ask for predictions and read what is served',
  },
  defaultModel: {
    schema: z.string().min(1).optional(),
    value: 'NAME',
    shownDefault: "the only one, or serving.json's",
    help: 'the model that answers /infer',
  },
  strictReady: {
    schema: flag.optional(),
    value: '',
    shownDefault: 'off',
    help: '/health/ready fails until each model found at the start has served once',
  },
  signature: {
    schema: z.string().min(1).default('serving_default'),
    value: 'NAME',
    help: 'the signature of requests that name none; serving.json can name another',
  },
  tags: {
    schema: list.default(['serve']),
    value: 'TAG,TAG',
    help: 'the tags of the graph to load from a SavedModel',
  },
  watch: {
    schema: z.enum(['auto', 'events', 'poll', 'off']).default('auto'),
    value: 'auto|events|poll|off',
    help: 'how the server notices changes in the folder; auto polls where file events do not work',
  },
  scanInterval: {
    schema: seconds.default(30),
    value: 'SECONDS',
    help: 'the server also looks at the folder this often',
  },
  settle: {
    schema: seconds.default(1),
    value: 'SECONDS',
    help: 'a version that was renamed into place must stay the same this long before it is loaded; one that was copied, five times as long',
  },
  allowPath: {
    schema: list.optional(),
    value: 'PATH,PATH',
    shownDefault: 'the model path',
    help: 'folders that the model_path of /update_model may be in',
  },
  allowHandlers: {
    schema: flag.optional(),
    value: '',
    shownDefault: 'off',
    help: 'run the handler.ts or handler.js beside a model; handlers are code',
  },
  handler: {
    schema: z.string().min(1).optional(),
    value: 'FILE',
    shownDefault: 'none',
    help: 'the handler of models without one of their own; needs --allow-handlers',
  },
  opLibrary: {
    schema: list.optional(),
    value: 'PATH,PATH',
    shownDefault: 'none',
    help: 'libraries of custom operations, or folders of *.so files; loaded once, at the start; libraries are code',
  },
  maxBodyBytes: {
    schema: bytes(constants.MAX_LENGTH).default(64 * 2 ** 20),
    value: 'BYTES',
    shownDefault: '64MiB',
    help: 'the largest body of a request; beyond it 413',
  },
  maxInflightBytes: {
    schema: bytes(Number.MAX_SAFE_INTEGER).default(2 ** 30),
    value: 'BYTES',
    shownDefault: '1GiB',
    help: 'the bytes of all bodies that are read or wait, and as many for answers that clients have not read; beyond it 503',
  },
  maxDepth: { schema: count(100).default(16), value: 'N', help: 'the most levels of nesting in a body' },
  maxElements: {
    schema: count(2 ** 31 - 1).default(2 ** 31 - 1),
    value: 'N',
    help: 'the most elements of one tensor',
  },
  maxDenseElements: {
    schema: count(2 ** 31 - 1).default(2 ** 26),
    value: 'N',
    help: 'the most elements of a sparse or ragged tensor once it is dense',
  },
  maxImagePixels: {
    schema: count(2 ** 28).default(2 ** 23),
    value: 'N',
    help: 'the most pixels of one image, all its frames together',
  },
  bodyTimeout: {
    schema: someSeconds.default(30),
    value: 'SECONDS',
    help: 'a body must arrive within this time; beyond it 408',
  },
  idleTimeout: {
    schema: someSeconds.default(75),
    value: 'SECONDS',
    help: 'an idle connection is closed after this time, and so is one whose client does not read its answer',
  },
  requestTimeout: {
    schema: someSeconds.default(120),
    value: 'SECONDS',
    help: 'a request must be answered within this time; beyond it 504; the X-Request-Timeout header can only lower it',
  },
  maxBatchSize: {
    schema: count(2 ** 20).default(32),
    value: 'N',
    help: 'the most rows of a batch; the server uses fewer if its measurements show that more save nothing',
  },
  batchTimeout: {
    schema: number(z.number().nonnegative().max(60_000)).default(0),
    value: 'MILLISECONDS',
    help: 'how long the first request of a batch waits for more',
  },
  batchingParameters: {
    schema: z
      .union([z.string().transform(parseJson), z.looseObject({})])
      .pipe(batchingSchema)
      .optional(),
    within: batchingSchema,
    value: 'JSON',
    shownDefault: 'none',
    help: "TensorFlow Serving's batching parameters, for models whose serving.json has none",
  },
  queueSize: {
    schema: count(2 ** 20).optional(),
    value: 'N',
    shownDefault: 'two full batches per run at once, at least 32',
    help: 'the most requests that wait for one model and signature; beyond it 503',
  },
  warmupTimeout: {
    schema: someSeconds.default(30),
    value: 'SECONDS',
    help: 'the warm-up of a version must end within this time',
  },
  loadTimeout: {
    schema: someSeconds.default(600),
    value: 'SECONDS',
    help: 'the load of a version must end within this time',
  },
  rehearse: {
    schema: z.enum(['auto', 'on', 'off']).default('auto'),
    value: 'auto|on|off',
    help: 'load a version in another process first, so that a model that ends the process does not end the server; auto: once a version serves, if memory allows; also --trial',
  },
  stateDir: {
    schema: z.string().min(1).optional(),
    value: 'PATH',
    shownDefault: 'state in the cache folder',
    help: 'the folder for notes of loads under way; with them a model that ended the server is not loaded again at each start',
  },
  drainDelay: {
    schema: seconds.default(0),
    value: 'SECONDS',
    help: 'after SIGTERM the server is not ready, and goes on answering so long, until load balancers have noticed',
  },
  shutdownTimeout: {
    schema: seconds.default(30),
    value: 'SECONDS',
    help: 'requests under way at a stop must end within this time',
  },
  runThreads: {
    schema: count(1024).optional(),
    value: 'N',
    shownDefault: 'one per core',
    help: 'the most runs at once',
  },
  workers: {
    schema: z.union([z.literal('auto'), count(256)]).default(1),
    value: 'N|auto',
    help: 'event loops that answer requests, over one copy of the weights; auto takes one for two cores',
  },
  inlineRunMicros: {
    schema: number(z.number().nonnegative().max(1_000_000)).default(50),
    value: 'MICROSECONDS',
    help: 'runs that usually take no more than this, and never long, run on the event loop; 0: none',
  },
  busyPollMicros: {
    schema: number(z.number().nonnegative().max(1_000_000)).default(0),
    value: 'MICROSECONDS',
    help: 'the event loop stays awake this long after a request: shorter latencies, at the price of a core; 0: it sleeps',
  },
  intraThreads: {
    schema: number(z.number().int().min(0).max(1024)).optional(),
    value: 'N',
    shownDefault: "TensorFlow's",
    help: 'the threads of one operation, for the process',
  },
  interThreads: {
    schema: number(z.number().int().min(-1).max(1024)).default(-1),
    value: 'N',
    help: 'the threads that run operations, for each session; -1: each run stays on its own thread; 0: TensorFlow chooses',
  },
  xla: {
    schema: flag.optional(),
    value: '',
    shownDefault: 'off',
    help: 'compile models with XLA, for each batch size; refused with --runtime tfjs',
  },
  mixedPrecision: {
    schema: flag.optional(),
    value: '',
    shownDefault: 'off',
    help: 'compute in 16 bits where that is safe: float16 on a GPU, bfloat16 on a processor that has it, else a warning; refused with --runtime tfjs',
  },
  gpuMemoryGrowth: {
    schema: flag.optional(),
    value: '',
    shownDefault: 'off',
    help: 'take GPU memory as it is needed; refused with --device cpu',
  },
  gpuMemoryFraction: {
    schema: number(z.number().positive().max(1)).optional(),
    value: 'SHARE',
    shownDefault: 'all',
    help: "the share of each GPU's memory to use, 0 to 1; refused with --device cpu and with --runtime tfjs",
  },
  visibleDevices: {
    schema: z.string().optional(),
    value: 'N,N',
    shownDefault: 'all',
    help: "the GPUs to use, by CUDA's numbers; refused with --device cpu",
  },
  runtime: {
    schema: z.enum(['native', 'tfjs']).default('native'),
    value: 'native|tfjs',
    help: 'native: the addon; tfjs: loadSavedModel of TensorFlow.js, which blocks the event loop',
  },
  apiKeyFile: {
    schema: z.string().min(1).optional(),
    value: 'FILE',
    shownDefault: 'none',
    help: 'one API key a line, or `infer+admin+metrics+debug:key`, or a list in JSON or YAML; also TFJS_SERVING_API_KEYS, separated by commas',
  },
  tlsCert: {
    schema: z.string().min(1).optional(),
    value: 'FILE',
    shownDefault: 'none: plain HTTP',
    help: 'the TLS certificate and its chain, without the root, in PEM; read again when it changes',
  },
  tlsKey: {
    schema: z.string().min(1).optional(),
    value: 'FILE',
    shownDefault: 'none',
    help: 'the private key of --tls-cert, in PEM',
  },
  tlsClientCa: {
    schema: z.string().min(1).optional(),
    value: 'FILE',
    shownDefault: 'none: clients need no certificate',
    help: 'the authorities of client certificates, in PEM; clients without such a certificate cannot connect',
  },
  serverTiming: {
    schema: flag.optional(),
    value: '',
    shownDefault: 'off',
    help: 'inference answers have a Server-Timing header that says where their time went',
  },
  accessLog: {
    schema: z.string().min(1).default('off'),
    value: 'off|stdout|FILE',
    help: 'where to write a line for each request that has ended; SIGHUP opens the file anew',
  },
  accessLogFormat: {
    schema: z.enum(accessLogFormats).default('text'),
    value: 'text|json|combined',
    help: 'the format of the access log; combined is that of Apache and nginx; needs --access-log',
  },
  accessLogSample: {
    schema: number(z.number().min(0).max(1)).default(1),
    value: 'SHARE',
    help: 'the share of successful requests in the access log, 0 to 1; failures are always there; needs --access-log',
  },
  logLevel: {
    schema: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
    value: 'LEVEL',
    help: 'the least severe lines to log: debug, info, warn, error or silent',
  },
  logFormat: {
    schema: z.enum(['text', 'json']).default('text'),
    value: 'text|json',
    help: 'the format of the log on stdout',
  },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof settings;

/** The value of every setting. */
export type Settings = { readonly [Name in SettingName]: z.output<(typeof settings)[Name]['schema']> };

export const settingNames = keysOf(settings);

/** The former names of settings. They still work. */
const formerNames: { readonly [Name in SettingName]?: string } = { rehearse: 'trial' };

/** The names of a setting. The first one is today's. */
export function namesOf(name: SettingName): readonly string[] {
  const former = formerNames[name];
  return former === undefined ? [name] : [name, former];
}

/** `modelPath` becomes `--model-path`. */
export function flagOf(name: string): string {
  return `--${words(name).join('-')}`;
}

/** `modelPath` becomes `TFJS_SERVING_MODEL_PATH`. */
export function variableOf(name: string): string {
  return `TFJS_SERVING_${words(name).join('_').toUpperCase()}`;
}

/** `modelPath` becomes `model_path`, the key in the config file. */
export function keyOf(name: string): string {
  return words(name).join('_');
}

function words(name: string): string[] {
  return name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).split(' ');
}
