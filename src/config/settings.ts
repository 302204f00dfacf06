/**
 * Every setting of the server. The flags, the environment variables, the keys of the config file, `--help` and the
 * checks all come from this table.
 */
import { constants } from 'node:buffer';
import { z } from 'zod';
import { batchingSchema } from '../stores/serving-schema.js';
import { accessLogFormats } from '../telemetry/access-log.js';
import type { Seconds } from '../time.js';

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

const decimal = /^[+-]?\d+(\.\d+)?(e[+-]?\d+)?$/i;

/** A number. It comes as a decimal text from the command line and the environment, and an empty text is not 0. */
function number<Schema extends z.ZodType>(schema: Schema) {
  return z.preprocess(
    (value) => (typeof value === 'string' && decimal.test(value) ? Number(value) : value),
    schema,
  );
}

/** A timer of Node fires at once beyond 2^31 milliseconds. */
const longest = 2_000_000;
const seconds: z.ZodType<Seconds> = number(z.number().nonnegative().max(longest));
const someSeconds: z.ZodType<Seconds> = number(z.number().positive().max(longest));

function count(max: number) {
  return number(z.number().int().positive().max(max));
}

const flag = z.union([z.boolean(), z.stringbool()]);

const units: Record<string, number> = { '': 1, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30 };

/** Turns `64 MiB`, `1GiB` or `65536` into bytes. */
function bytes(max: number) {
  return z.union([z.number(), z.string()]).transform((value, ctx) => {
    const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(String(value)) ?? [];
    const size = Math.floor(Number(digits) * (units[unit?.toLowerCase() ?? ''] ?? Number.NaN));
    if (size >= 1 && size <= max) return size;
    ctx.addIssue(`a size in bytes, KiB, MiB or GiB, for example 64MiB, up to ${max} bytes`);
    return z.NEVER;
  });
}

/** An empty item is a mistake. As a path it would mean the working directory. */
const list = z
  .union([z.array(z.string()), z.string().transform((text) => text.split(','))])
  .pipe(z.array(z.string().trim().min(1)));

function parseJson(text: string, ctx: z.RefinementCtx): unknown {
  try {
    return JSON.parse(text);
  } catch {
    ctx.addIssue('a JSON object, for example {"max_batch_size": 16}');
    return z.NEVER;
  }
}

export const settings = {
  modelPath: {
    schema: z.string().min(1).default('saved_models'),
    value: 'PATH',
    help: "a repository of models, one model's folder of versions, or one SavedModel; not given and not there: on loopback the demo models",
  },
  device: {
    schema: z.enum(['cpu', 'gpu', 'auto']).default('auto'),
    value: 'cpu|gpu|auto',
    help: 'what models run on',
  },
  port: {
    schema: number(z.number().int().min(0).max(65535)).default(50000),
    value: 'N',
    help: '0 picks a free one',
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
    help: 'more names that requests may say as Host, and pages as Origin; * for any Host',
  },
  defaultModel: {
    schema: z.string().min(1).optional(),
    value: 'NAME',
    shownDefault: "the only one, or serving.json's",
    help: 'the model that /infer means',
  },
  strictReady: {
    schema: flag.optional(),
    value: '',
    shownDefault: 'off',
    help: 'not ready while a model found at start has never served',
  },
  signature: {
    schema: z.string().min(1).default('serving_default'),
    value: 'NAME',
    help: 'the signature meant when a request names none, unless serving.json says another',
  },
  tags: { schema: list.default(['serve']), value: 'TAG,TAG', help: 'which graph of a SavedModel to load' },
  watch: {
    schema: z.enum(['auto', 'events', 'poll', 'off']).default('auto'),
    value: 'auto|events|poll|off',
    help: 'how changes in the folder are noticed; auto polls where there are no events',
  },
  scanInterval: {
    schema: seconds.default(30),
    value: 'SECONDS',
    help: 'the folder is also looked at by the clock',
  },
  settle: {
    schema: seconds.default(1),
    value: 'SECONDS',
    help: 'a version that was renamed into place must stay the same this long before it is loaded, a copied one five times',
  },
  allowPath: {
    schema: list.optional(),
    value: 'PATH,PATH',
    shownDefault: 'the model path',
    help: 'where a model_path given to /update_model may lie',
  },
  allowHandlers: {
    schema: flag.optional(),
    value: '',
    shownDefault: 'off',
    help: 'run the handler.ts or handler.js beside a model, which is code',
  },
  handler: {
    schema: z.string().min(1).optional(),
    value: 'FILE',
    shownDefault: 'none',
    help: 'the handler of models that have none of their own; needs --allow-handlers',
  },
  opLibrary: {
    schema: list.optional(),
    value: 'PATH,PATH',
    shownDefault: 'none',
    help: 'libraries of custom operations, or folders whose *.so are meant, loaded once for the process; they are code',
  },
  maxBodyBytes: {
    schema: bytes(constants.MAX_LENGTH).default(64 * 2 ** 20),
    value: 'BYTES',
    shownDefault: '64MiB',
    help: "the size of one request's body",
  },
  maxInflightBytes: {
    schema: bytes(Number.MAX_SAFE_INTEGER).default(2 ** 30),
    value: 'BYTES',
    shownDefault: '1GiB',
    help: 'all bodies being read or waiting, and as much again for answers not read yet; beyond it 503',
  },
  maxDepth: { schema: count(100).default(16), value: 'N', help: 'levels of nesting in a body' },
  maxElements: {
    schema: count(2 ** 31 - 1).default(2 ** 31 - 1),
    value: 'N',
    help: 'elements of one tensor',
  },
  maxDenseElements: {
    schema: count(2 ** 31 - 1).default(2 ** 26),
    value: 'N',
    help: 'elements that a sparse or ragged tensor has when it is written out',
  },
  maxImagePixels: {
    schema: count(2 ** 28).default(2 ** 23),
    value: 'N',
    help: 'pixels of one image, all its frames together',
  },
  bodyTimeout: {
    schema: someSeconds.default(30),
    value: 'SECONDS',
    help: 'within which a body must have arrived',
  },
  idleTimeout: {
    schema: someSeconds.default(75),
    value: 'SECONDS',
    help: 'after which an idle connection is closed, or one whose client does not read its answer',
  },
  requestTimeout: {
    schema: someSeconds.default(120),
    value: 'SECONDS',
    help: 'after which a request is answered 504; X-Request-Timeout may only lower it',
  },
  maxBatchSize: {
    schema: count(2 ** 20).default(32),
    value: 'N',
    help: 'rows of a batch; fewer where a larger one was seen to save nothing',
  },
  batchTimeout: {
    schema: number(z.number().nonnegative().max(60_000)).default(0),
    value: 'MILLISECONDS',
    help: 'how long the first of a batch waits for more',
  },
  batchingParameters: {
    schema: z
      .union([z.string().transform(parseJson), z.looseObject({})])
      .pipe(batchingSchema)
      .optional(),
    within: batchingSchema,
    value: 'JSON',
    shownDefault: 'none',
    help: "TensorFlow Serving's, for every model whose serving.json does not say otherwise",
  },
  queueSize: {
    schema: count(2 ** 20).optional(),
    value: 'N',
    shownDefault: 'two full batches per run at once, at least 32',
    help: 'requests waiting per model and signature beyond those in a run; beyond it 503',
  },
  warmupTimeout: {
    schema: someSeconds.default(30),
    value: 'SECONDS',
    help: 'for the run before a version serves',
  },
  loadTimeout: {
    schema: someSeconds.default(600),
    value: 'SECONDS',
    help: 'after which a load is given up',
  },
  rehearse: {
    schema: z.enum(['auto', 'on', 'off']).default('auto'),
    value: 'auto|on|off',
    help: 'load a version in a process of its own first, which may end of it; auto: once something is served, where memory allows; also --trial',
  },
  stateDir: {
    schema: z.string().min(1).optional(),
    value: 'PATH',
    shownDefault: 'state in the cache folder',
    help: 'where notes are kept of the loads that are under way, so that a model that ends the server does not do so at each start',
  },
  drainDelay: {
    schema: seconds.default(0),
    value: 'SECONDS',
    help: 'after SIGTERM the server is not ready, and goes on answering so long, until load balancers have noticed',
  },
  shutdownTimeout: {
    schema: seconds.default(30),
    value: 'SECONDS',
    help: 'for requests under way when the server is told to stop',
  },
  runThreads: {
    schema: count(1024).optional(),
    value: 'N',
    shownDefault: 'one per core',
    help: 'models run at once',
  },
  workers: {
    schema: z.union([z.literal('auto'), count(256)]).default(1),
    value: 'N|auto',
    help: 'event loops that answer requests, over one copy of the weights; auto takes one for two cores',
  },
  inlineRunMicros: {
    schema: number(z.number().nonnegative().max(1_000_000)).default(50),
    value: 'MICROSECONDS',
    help: 'runs that typically take up to this and cannot take long are made on the event loop; 0: none',
  },
  busyPollMicros: {
    schema: number(z.number().nonnegative().max(1_000_000)).default(0),
    value: 'MICROSECONDS',
    help: 'the event loop stays awake for so long after a request, for shorter latencies at the price of a core; 0: it sleeps',
  },
  intraThreads: {
    schema: number(z.number().int().min(0).max(1024)).optional(),
    value: 'N',
    shownDefault: "TensorFlow's",
    help: 'threads within one operation, for the process',
  },
  interThreads: {
    schema: number(z.number().int().min(-1).max(1024)).default(-1),
    value: 'N',
    help: "threads between operations, per session; -1: each run stays on its own thread; 0: TensorFlow's choice",
  },
  xla: {
    schema: flag.optional(),
    value: '',
    shownDefault: 'off',
    help: 'TensorFlow compiles models by XLA, for each size of a batch; refused with --runtime tfjs',
  },
  mixedPrecision: {
    schema: flag.optional(),
    value: '',
    shownDefault: 'off',
    help: 'compute in 16 bits where that is safe: float16 on a GPU, bfloat16 on a processor that has it (else a warning); refused with --runtime tfjs',
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
    help: "of each GPU's memory, 0 to 1; refused with --device cpu and with --runtime tfjs",
  },
  visibleDevices: {
    schema: z.string().optional(),
    value: 'N,N',
    shownDefault: 'all',
    help: 'GPUs to use, as CUDA numbers them; refused with --device cpu',
  },
  runtime: {
    schema: z.enum(['native', 'tfjs']).default('native'),
    value: 'native|tfjs',
    help: "our addon, or upstream's loadSavedModel, which blocks the event loop",
  },
  apiKeyFile: {
    schema: z.string().min(1).optional(),
    value: 'FILE',
    shownDefault: 'none',
    help: 'one API key a line, or `infer+admin+metrics:key`; also TFJS_SERVING_API_KEYS, separated by commas',
  },
  tlsCert: {
    schema: z.string().min(1).optional(),
    value: 'FILE',
    shownDefault: 'none: plain HTTP',
    help: 'the certificate for TLS, in PEM, with those of the authorities below the root; read again when it changes',
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
    help: 'authorities, in PEM: only clients with a certificate of theirs may connect',
  },
  serverTiming: {
    schema: flag.optional(),
    value: '',
    shownDefault: 'off',
    help: 'inference answers tell in a Server-Timing header where their time went',
  },
  accessLog: {
    schema: z.string().min(1).default('off'),
    value: 'off|stdout|FILE',
    help: 'a line for each request that has ended; a file is opened anew on SIGHUP',
  },
  accessLogFormat: {
    schema: z.enum(accessLogFormats).default('text'),
    value: 'text|json|combined',
    help: 'of the access log; combined is that of Apache and nginx',
  },
  accessLogSample: {
    schema: number(z.number().min(0).max(1)).default(1),
    value: 'SHARE',
    help: 'the share of successful requests in the access log, 0 to 1; failures are all there',
  },
  logLevel: {
    schema: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
    value: 'LEVEL',
    help: 'debug, info, warn, error or silent',
  },
  logFormat: {
    schema: z.enum(['text', 'json']).default('text'),
    value: 'text|json',
    help: 'of the log on stdout',
  },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof settings;

/** The value of every setting. */
export type Settings = { readonly [Name in SettingName]: z.output<(typeof settings)[Name]['schema']> };

export const settingNames = Object.keys(settings) as SettingName[];

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
