/**
 * The rivals: how each is started, with which settings, and how it is spoken to.
 *
 * The first variant of a rival is the one that is measured, or the first that names the model in `bestFor`; the others
 * have been tried and were no better. `--variants` measures every one, so that the choice can be made again elsewhere.
 */
import path from 'node:path';
import type { Environments, Missing, Python, Triton } from './environments.ts';
import { type ServedModel, writeTritonRepository } from './triton-repository.ts';

/** How tensors travel, by the names in formats.py. */
export type Format = 'cbor' | 'pickle' | 'raw' | 'v2';

export interface Rival {
  readonly title: string;
  readonly environment: 'python' | 'kserve' | 'triton';
  readonly format: Format;
  /** The path of the URL that answers. */
  readonly path: string;
  readonly variants: readonly Variant[];
}

export interface Variant {
  /** Its settings, for the tables. */
  readonly settings: string;
  readonly bestFor?: readonly string[];
  launch(site: Site): Promise<Launch> | Launch;
}

/** What a server is started with. */
export interface Site {
  readonly model: ServedModel;
  readonly port: number;
  readonly environments: Environments;
  /** A folder of its own. */
  readonly scratch: string;
}

export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** There is one run at a time on each of two workers, so TensorFlow's own threads would only disturb. */
const oneThread = { INTRA_THREADS: '1', INTER_THREADS: '-1' };

export const rivals: Readonly<Record<string, Rival>> = {
  flask: {
    title: 'Flask + gunicorn, sync workers',
    environment: 'python',
    format: 'pickle',
    path: '/infer',
    variants: [gunicorn('2 workers', ['-w', '2'])],
  },
  'flask-gthread': {
    title: 'Flask + gunicorn, gthread',
    environment: 'python',
    format: 'pickle',
    path: '/infer',
    variants: [
      gunicorn('2 workers, 8 threads', ['-w', '2', '-k', 'gthread', '--threads', '8', '--keep-alive', '75']),
      gunicorn('2 workers, 64 threads', [
        '-w',
        '2',
        '-k',
        'gthread',
        '--threads',
        '64',
        '--keep-alive',
        '75',
      ]),
    ],
  },
  litserve: {
    title: 'LitServe',
    environment: 'python',
    format: 'raw',
    path: '/predict',
    variants: [
      litserve({ workers: 1, batch: 16, waitMs: 0, fastQueue: true }),
      litserve({ workers: 1, batch: 16, waitMs: 0 }),
      litserve({ workers: 1, batch: 16, waitMs: 2 }),
      litserve({ workers: 2, batch: 16, waitMs: 0 }),
    ],
  },
  mosec: {
    title: 'mosec',
    environment: 'python',
    format: 'raw',
    path: '/inference',
    variants: [
      mosec({ workers: 1, batch: 16, waitMs: 1 }),
      mosec({ workers: 2, batch: 16, waitMs: 1 }),
      mosec({ workers: 1, batch: 64, waitMs: 1 }),
    ],
  },
  kserve: {
    title: 'KServe ModelServer, v2 binary',
    environment: 'kserve',
    format: 'v2',
    path: '/v2/models/model/infer',
    variants: [kserve({ workers: 1 }), kserve({ workers: 2 })],
  },
  'kserve-raw': {
    title: 'KServe ModelServer, raw bytes',
    environment: 'kserve',
    format: 'raw',
    path: '/v1/models/model:predict',
    variants: [kserve({ workers: 1 }), kserve({ workers: 2 })],
  },
  triton: {
    title: 'Triton 2.51',
    environment: 'triton',
    format: 'v2',
    path: '/v2/models/model/infer',
    variants: [
      triton({ instances: 1, httpThreads: 2, intra: 1, inter: -1 }),
      triton({ instances: 2, httpThreads: 2, intra: 1, inter: -1 }),
      triton({ instances: 1, httpThreads: 1, intra: 1, inter: -1 }),
      triton({ instances: 2, httpThreads: 1, intra: 1, inter: -1 }),
      triton({ instances: 1, httpThreads: 8, intra: 1, inter: -1 }),
      triton({ instances: 2, httpThreads: 8, intra: 1, inter: -1 }),
      triton({ instances: 1, httpThreads: 2, intra: 1, inter: 1 }),
      triton({ instances: 1, httpThreads: 2, intra: 0, inter: 0 }),
      triton({ instances: 1, httpThreads: 2, intra: 1, inter: -1, delay: 200 }),
      {
        ...triton({ instances: 2, httpThreads: 2, intra: 1, inter: -1, keepMemory: true }),
        bestFor: ['policy'],
      },
    ],
  },
};

function gunicorn(settings: string, args: readonly string[]): Variant {
  return {
    settings,
    launch: ({ model, port, environments }) => {
      const common = ['--bind', `127.0.0.1:${port}`, '--chdir', 'bench/peers', '--log-level', 'warning'];
      // gunicorn kills workers that are silent for so long. 0 means never, because they are paused.
      const alive = ['--timeout', '0'];
      return python(
        environments.python,
        ['-m', 'gunicorn', ...common, ...alive, ...args, 'flask_server:app'],
        { MODEL: model.folder, ...oneThread },
      );
    },
  };
}

interface Batching {
  readonly workers: number;
  readonly batch: number;
  readonly waitMs: number;
}

function says({ workers, batch, waitMs }: Batching): string {
  return `${workers === 1 ? '1 worker' : `${workers} workers`}, batches of ${batch}, wait ${waitMs} ms`;
}

function batchingEnv({ workers, batch, waitMs }: Batching): NodeJS.ProcessEnv {
  return { WORKERS: String(workers), BATCH: String(batch), WAIT_MS: String(waitMs) };
}

function litserve({ fastQueue = false, ...batching }: Batching & { fastQueue?: boolean }): Variant {
  return {
    settings: `${says(batching)}${fastQueue ? ', fast queue' : ''}`,
    launch: ({ model, port, environments }) =>
      python(environments.python, ['bench/peers/litserve_server.py'], {
        ...{ MODEL: model.folder, PORT: String(port), FAST_QUEUE: fastQueue ? '1' : '0' },
        ...batchingEnv(batching),
        ...oneThread,
      }),
  };
}

function mosec(batching: Batching): Variant {
  return {
    settings: says(batching),
    launch: ({ model, port, environments }) => {
      const args = ['bench/peers/mosec_server.py', '--address', '127.0.0.1', '--port', String(port)];
      // By default, a batch fails if a worker takes longer than three seconds.
      args.push('--timeout', '60000');
      return python(environments.python, args, {
        MODEL: model.folder,
        ...batchingEnv(batching),
        ...oneThread,
      });
    },
  };
}

function kserve({ workers }: { workers: number }): Variant {
  return {
    settings: workers === 1 ? '1 worker' : `${workers} workers`,
    launch: ({ model, port, environments }) =>
      python(environments.kserve, ['bench/peers/kserve_server.py'], {
        ...{ MODEL: model.folder, PORT: String(port), WORKERS: String(workers) },
        ...{ KSERVE_LOGLEVEL: 'WARNING', ...oneThread },
      }),
  };
}

interface TritonSettings {
  readonly instances: number;
  readonly httpThreads: number;
  /** As in session.txt of triton_backend.c. */
  readonly intra: number;
  readonly inter: number;
  /** The microseconds that a request may wait for others. */
  readonly delay?: number;
  /** True if glibc keeps large blocks instead of returning them after each request. */
  readonly keepMemory?: boolean;
}

function triton(settings: TritonSettings): Variant {
  const { instances, httpThreads, intra, inter, delay = 0, keepMemory = false } = settings;
  const kept = 1 << 30;
  return {
    settings: [
      instances === 1 ? '1 instance' : `${instances} instances`,
      httpThreads === 1 ? '1 HTTP thread' : `${httpThreads} HTTP threads`,
      `TF threads ${intra}/${inter}`,
      ...(delay > 0 ? [`queue delay ${delay} µs`] : []),
      ...(keepMemory ? ['malloc keeps memory'] : []),
    ].join(', '),
    launch: async ({ model, port, environments, scratch }) => {
      const repository = path.join(scratch, 'repository');
      await writeTritonRepository(repository, model, { instances, intra, inter, delay, maxBatch: 64 });
      const { tritonserver, backends } = found<Triton>(environments.triton);
      return {
        command: tritonserver,
        args: [
          ...['--model-repository', repository, '--backend-directory', backends],
          ...['--http-address', '127.0.0.1', '--http-port', String(port)],
          ...['--http-thread-count', String(httpThreads)],
          ...['--allow-grpc', '0', '--allow-metrics', '0', '--log-info', '0'],
        ],
        env: {
          TF_CPP_MIN_LOG_LEVEL: '3',
          ...(keepMemory && {
            MALLOC_MMAP_THRESHOLD_: String(kept),
            MALLOC_TRIM_THRESHOLD_: String(kept),
            MALLOC_TOP_PAD_: String(64 << 20),
          }),
        },
      };
    },
  };
}

function python(environment: Python | Missing, args: readonly string[], env: NodeJS.ProcessEnv): Launch {
  const made = found<Python>(environment);
  return { command: made.python, args, env: { ...made.env, ...env } };
}

function found<T extends object>(environment: T | Missing): T {
  if ('missing' in environment) throw new Error(environment.missing);
  return environment;
}
