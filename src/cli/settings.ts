/**
 * Every setting of the server, once: from this table come the flags, the environment variables, the keys of the
 * config file, `--help` and the checks.
 */
import { z } from 'zod';

/** One setting, with its unit and meaning as `--help` prints them. */
interface Setting {
  readonly schema: z.ZodType;
  /** What stands for the value in `--help`; none for a switch. */
  readonly value: string;
  /** As `--help` shows it, where it is not the schema's own default. */
  readonly shownDefault?: string;
  readonly help: string;
}

/** Numbers come as text from the command line and the environment. */
const number = z.coerce.number();
const seconds = number.nonnegative();
const count = z.coerce.number().int().positive();
const flag = z.union([z.boolean(), z.stringbool()]);

const units: Record<string, number> = { '': 1, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30 };

/** `64 MiB`, `1GiB`, `65536` → bytes. */
const bytes = z.union([z.number(), z.string()]).transform((value, ctx) => {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(String(value)) ?? [];
  const size = Number(digits) * (units[unit?.toLowerCase() ?? ''] ?? Number.NaN);
  if (Number.isFinite(size) && size > 0) return Math.floor(size);
  ctx.addIssue('a size in bytes, KiB, MiB or GiB, as 64MiB');
  return z.NEVER;
});

const list = z.union([z.array(z.string()), z.string().transform((text) => text.split(','))]);

export const settings = {
  modelPath: {
    schema: z.string().min(1).default('saved_models'),
    value: 'PATH',
    help: "a repository of models, one model's folder of versions, or one SavedModel",
  },
  device: {
    schema: z.enum(['cpu', 'gpu', 'auto']).default('auto'),
    value: 'cpu|gpu|auto',
    help: 'what models run on',
  },
  port: {
    schema: z.coerce.number().int().min(0).max(65535).default(50000),
    value: 'N',
    help: '0 picks a free one',
  },
  host: {
    schema: z.string().min(1).default('127.0.0.1'),
    value: 'ADDRESS',
    help: 'the address to listen on; 0.0.0.0 for all',
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
    help: 'the signature meant when a request names none',
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
    help: 'a folder must stay the same this long before it is loaded',
  },
  allowPath: {
    schema: list.optional(),
    value: 'PATH,PATH',
    shownDefault: 'the model path',
    help: 'where a model_path given to /update_model may lie',
  },
  maxBodyBytes: {
    schema: bytes.default(64 * 2 ** 20),
    value: 'BYTES',
    shownDefault: '64MiB',
    help: "the size of one request's body",
  },
  maxInflightBytes: {
    schema: bytes.default(2 ** 30),
    value: 'BYTES',
    shownDefault: '1GiB',
    help: 'all bodies being read or waiting, for the process; beyond it 503',
  },
  maxDepth: { schema: count.max(100).default(16), value: 'N', help: 'levels of nesting in a body' },
  maxElements: {
    schema: count.max(2 ** 31 - 1).default(2 ** 31 - 1),
    value: 'N',
    help: 'elements of one tensor',
  },
  bodyTimeout: {
    schema: seconds.positive().default(30),
    value: 'SECONDS',
    help: 'within which a body must have arrived',
  },
  idleTimeout: {
    schema: seconds.positive().default(75),
    value: 'SECONDS',
    help: 'after which an idle connection is closed',
  },
  requestTimeout: {
    schema: seconds.positive().default(120),
    value: 'SECONDS',
    help: 'after which a request is answered 504; X-Request-Timeout may only lower it',
  },
  warmupTimeout: {
    schema: seconds.positive().default(30),
    value: 'SECONDS',
    help: 'for the run before a version serves',
  },
  loadTimeout: {
    schema: seconds.positive().default(600),
    value: 'SECONDS',
    help: 'after which a load is given up',
  },
  shutdownTimeout: {
    schema: seconds.default(30),
    value: 'SECONDS',
    help: 'for requests under way when the server is told to stop',
  },
  runThreads: {
    schema: count.max(1024).optional(),
    value: 'N',
    shownDefault: 'one per core',
    help: 'models run at once',
  },
  intraThreads: {
    schema: z.coerce.number().int().nonnegative().optional(),
    value: 'N',
    shownDefault: "TensorFlow's",
    help: 'threads within one operation, for the process',
  },
  interThreads: {
    schema: z.coerce.number().int().optional(),
    value: 'N',
    shownDefault: "TensorFlow's",
    help: 'threads between operations, per session',
  },
  gpuMemoryGrowth: {
    schema: flag.optional(),
    value: '',
    shownDefault: 'off',
    help: 'take GPU memory as it is needed',
  },
  gpuMemoryFraction: {
    schema: number.positive().max(1).optional(),
    value: 'SHARE',
    shownDefault: 'all',
    help: "of each GPU's memory, 0 to 1",
  },
  visibleDevices: {
    schema: z.string().optional(),
    value: 'N,N',
    shownDefault: 'all',
    help: 'GPUs to use, as CUDA numbers them',
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

/** Every setting with its value. */
export type Settings = { readonly [Name in SettingName]: z.output<(typeof settings)[Name]['schema']> };

export const settingNames = Object.keys(settings) as SettingName[];

/** `modelPath` → `--model-path` */
export function flagOf(name: SettingName): string {
  return `--${words(name).join('-')}`;
}

/** `modelPath` → `TFJS_SERVING_MODEL_PATH` */
export function variableOf(name: SettingName): string {
  return `TFJS_SERVING_${words(name).join('_').toUpperCase()}`;
}

/** `modelPath` → `model_path`, the key in the config file */
export function keyOf(name: SettingName): string {
  return words(name).join('_');
}

function words(name: string): string[] {
  return name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).split(' ');
}
