/**
 * Rehearsals: a version is loaded and warmed up in a process of its own before it is loaded here.
 *
 * Some models make TensorFlow end the process. Then only the rehearsal ends, the reason is reported, and the version
 * that serves goes on.
 */

import type { RuntimeOptions } from '../../engines/tensorflow/open-runtime.js';
import { type ErrorCode, isErrorCode, ServingError } from '../../errors.js';
import { inMilliseconds, type Seconds } from '../../time.js';
import { availableMemory, checkMemory } from '../memory.js';
import type { LoadOptions, LoadStage, VersionToLoad } from './load.js';
import type { RehearsalProcesses } from './rehearsal-processes.js';

/** What a rehearsal is told, as plain data. */
export interface RehearsalJob {
  readonly runtime: RuntimeOptions;
  readonly version: Pick<
    VersionToLoad,
    'model' | 'version' | 'directory' | 'handler' | 'defaultNames' | 'limits'
  >;
  readonly options: Pick<LoadOptions, 'tags' | 'signature' | 'loadTimeout' | 'warmupTimeout'>;
}

/** What a rehearsal reports: its stage, and how it ended. */
export type RehearsalNews =
  | { readonly kind: 'stage'; readonly stage: LoadStage }
  | { readonly kind: 'passed' }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string };

export interface RehearsalOptions {
  /** The program of the child. */
  readonly program: string;
  /** Starts the processes; undefined if nothing is rehearsed. */
  readonly processes: RehearsalProcesses | undefined;
  readonly runtime: RuntimeOptions;
  readonly options: RehearsalJob['options'];
}

/** The bytes that Node and TensorFlow take in a process without a model. */
const processBytes = 512 * 2 ** 20;

/** How long Node and TensorFlow may take to start on a busy machine. */
const startTime: Seconds = 120;

/** The characters of the child's stderr that are kept, from its end. */
const keptText = 2 ** 14;

/** The most characters of the line with the reason. */
const longestReason = 500;

export class Rehearsals {
  constructor(private readonly options: RehearsalOptions) {}

  /** @throws ServingError UNAVAILABLE if the memory has no room for another process */
  async checkRoom(): Promise<void> {
    checkMemory(processBytes, await availableMemory());
  }

  /**
   * Loads a version in a process of its own, warms it up, and ends that process.
   *
   * @throws ServingError the error of the load; FAILED_PRECONDITION if the load ended the process, RESOURCE_EXHAUSTED
   * if the process was killed, DEADLINE_EXCEEDED if it took too long
   */
  async run(version: VersionToLoad): Promise<void> {
    const { runtime, options } = this.options;
    const { model, version: number, directory, handler, defaultNames, limits } = version;
    const job: RehearsalJob = {
      runtime,
      version: { model, version: number, directory, handler, defaultNames, limits },
      options,
    };
    const news = await this.outcomeOf(job, version.onStage);
    if (news.kind === 'failed') throw new ServingError(news.code, news.message);
  }

  /** Ends the rehearsals that are under way. */
  close(): void {
    this.options.processes?.close();
  }

  private outcomeOf(job: RehearsalJob, onStage: (stage: LoadStage) => void): Promise<Outcome> {
    const { program, processes } = this.options;
    if (!processes) throw new ServingError('INTERNAL', 'there are no processes for rehearsals');
    const seconds = startTime + job.options.loadTimeout + job.options.warmupTimeout;
    let text = '';
    let stage: LoadStage | undefined;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        end(failed('DEADLINE_EXCEEDED', `loading it took more than ${seconds} s in a rehearsal`));
      }, inMilliseconds(seconds));
      const kill = processes.start(program, job.version.directory, job, (event) => {
        if (event.kind === 'text') text = (text + event.text).slice(-keptText);
        else if (event.kind === 'error')
          end(failed('UNAVAILABLE', `no rehearsal can be started: ${event.message}`));
        else if (event.kind === 'close') end(explainDeath(event.code, event.signal, stage, text));
        else {
          const news = readNews(event.said);
          if (news?.kind === 'stage') {
            stage = news.stage;
            onStage(stage);
          } else if (news) end(news);
        }
      });
      const end = (outcome: Outcome) => {
        clearTimeout(timer);
        kill();
        resolve(outcome);
      };
    });
  }
}

type Outcome = Exclude<RehearsalNews, { kind: 'stage' }>;

function failed(code: ErrorCode, message: string): Outcome {
  return { kind: 'failed', code, message };
}

/** The child runs code that reads foreign files, so its messages are checked like any input. */
function readNews(message: unknown): RehearsalNews | undefined {
  if (typeof message !== 'object' || message === null || !('kind' in message)) return undefined;
  if (message.kind === 'passed') return { kind: 'passed' };
  if (message.kind === 'stage' && 'stage' in message) {
    const stage = stages.find((each) => each === message.stage);
    return stage && { kind: 'stage', stage };
  }
  if (message.kind !== 'failed' || !('code' in message) || !('message' in message)) return undefined;
  const code = isErrorCode(message.code) ? message.code : 'INTERNAL';
  return { kind: 'failed', code, message: String(message.message) };
}

const stages: readonly LoadStage[] = [
  'reading its files',
  'running its handler',
  'loading it into TensorFlow',
  'warming it up',
  'checking its rows',
];

/**
 * @param text is what the process wrote to stderr last
 * @param stage is the stage that it was at
 */
export function explainDeath(
  code: number | null,
  signal: NodeJS.Signals | null,
  stage: LoadStage | undefined,
  text: string,
): Outcome {
  // Exit code 0 means an orderly end, but nobody asked for one.
  const how = code === 0 ? 'without an answer' : `with ${signal ?? `exit code ${code}`}`;
  const reason = reasonIn(text);
  const said = reason === undefined ? '' : `: ${reason}`;
  const what = `${stage ?? 'loading it'} ended a rehearsal ${how}`;
  // The system kills the process that takes the most memory.
  if (signal === 'SIGKILL')
    return failed('RESOURCE_EXHAUSTED', `${what}, as the system does when memory runs out${said}`);
  return failed('FAILED_PRECONDITION', `${what}${said}`);
}

/** Words that programs write when they end themselves. */
const telling =
  /Check failed|^F\d{4} |^F tensorflow|\(\): |terminate called|FATAL ERROR|Assertion|stack smashing/;

/** Lines that explain nothing: what TensorFlow says at each start, and other information. */
const chatter = /^I\d{4} |^[\d: .-]+ I tensorflow|^WARNING: All log messages before absl/;

/** The head of a line of TensorFlow: severity and date, time, thread. */
const logHead = /^[A-Z]\d{4} [\d:.]+\s+\d+ /;

function reasonIn(text: string): string | undefined {
  const lines = text
    .split('\n')
    .flatMap((line) => line.trim() || [])
    .filter((line) => !chatter.test(line));
  const line = (lines.findLast((each) => telling.test(each)) ?? lines.at(-1))?.replace(logHead, '');
  return line && line.length > longestReason ? `${line.slice(0, longestReason)}…` : line;
}
