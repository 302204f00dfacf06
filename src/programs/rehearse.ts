/**
 * The program of a rehearsal: loads one version as a server would, warms it up, and tells how that went. It serves nobody. Of a
 * version with a handler it loads the model beneath.
 *
 * The server starts it with a channel, and with a pipe as its input that closes when the server is gone.
 */
import { setPriority } from 'node:os';
import { Worker } from 'node:worker_threads';
import { loadVersion, rehearseModelBeneath } from '../control/load/load.js';
import type { RehearsalJob, RehearsalNews } from '../control/load/rehearsal.js';
import { openRuntime } from '../engines/tensorflow/open-runtime.js';
import { tensorFlowEngine } from '../engines/tensorflow/tensorflow-engine.js';
import { messageOf, ServingError } from '../errors.js';
import { createLogger } from '../telemetry/logger.js';

/** On a thread of its own, as a load may hold up this one: waits for the end of the input, and ends the process. */
const guard = `
  const { readSync } = require('node:fs');
  const byte = Buffer.alloc(1);
  try { while (readSync(0, byte) > 0); } catch {}
  process.kill(process.pid, 'SIGKILL');
`;

/** Everybody else goes first. */
const lowest = 19;

setPriority(lowest);
new Worker(guard, { eval: true }).unref();
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.once('message', (job: RehearsalJob) => void rehearse(job));

async function rehearse({ runtime, version, options }: RehearsalJob): Promise<void> {
  try {
    const logger = createLogger({ level: 'silent', format: 'text' });
    const { intraThreads = 1 } = runtime;
    const tensorFlow = openRuntime({ ...runtime, runThreads: 1, intraThreads });
    const load = version.handler === undefined ? loadVersion : rehearseModelBeneath;
    await load(
      {
        ...version,
        predecessor: undefined,
        onStage: (stage) => tell({ kind: 'stage', stage }),
        makeBatcher: () => {
          throw new ServingError('INTERNAL', 'no handler runs in a rehearsal');
        },
      },
      {
        ...options,
        engines: [tensorFlowEngine(tensorFlow, logger)],
        logger,
        handlers: undefined,
        isRehearsal: true,
      },
    );
    tell({ kind: 'passed' });
  } catch (error) {
    const code = error instanceof ServingError ? error.code : 'INTERNAL';
    tell({ kind: 'failed', code, message: messageOf(error) });
  }
}

function tell(news: RehearsalNews): void {
  process.send?.(news);
}
