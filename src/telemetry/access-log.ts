/**
 * One line for each request that has ended, to stdout or to a file of its own.
 *
 * Lines leave together, once a turn of the event loop. A request costs the text of its line, and no call of the system.
 * What the query of a path says is left out: callers put secrets there.
 */
import { constants, openSync } from 'node:fs';
import { messageOf, ServingError } from '../errors.js';
import type { WallTime } from '../time.js';
import { LogOutput, sharedOutput } from './log-output.js';
import type { RequestRecord } from './request-record.js';

export const accessLogFormats = ['text', 'json', 'combined'] as const;

export interface AccessLogOptions {
  /** `stdout`, or the path of a file. */
  readonly to: string;
  readonly format: (typeof accessLogFormats)[number];
  /** The share of successful requests that is written, 0 to 1. Failures are always written. */
  readonly sample: number;
}

export class AccessLog {
  /** The share of successful requests that is written from now on, 0 to 1. */
  sample: number;
  private readonly line: (record: RequestRecord, time: WallTime) => string;
  private output: LogOutput;
  private lines = '';
  private count = 0;
  private droppedBefore = 0;

  /** @throws ServingError FAILED_PRECONDITION if the file cannot be opened */
  constructor(private readonly options: AccessLogOptions) {
    this.sample = options.sample;
    this.line = { text: textLine, json: jsonLine, combined: combinedLine }[options.format];
    this.output = this.open();
  }

  /** The number of lines that were dropped. */
  get dropped(): number {
    return this.droppedBefore + this.output.droppedLines;
  }

  write(record: RequestRecord): void {
    const { sample } = this;
    if (record.via === 'process') return;
    if (record.httpStatus < 400 && sample < 1 && Math.random() >= sample) return;
    if (this.lines === '') setImmediate(this.flush);
    this.lines += this.line(record, Date.now());
    this.count += 1;
  }

  /** Opens the file anew: the old one was moved away. */
  reopen(): void {
    if (this.options.to === 'stdout') return;
    this.flush();
    const output = this.open();
    this.droppedBefore += this.output.droppedLines;
    this.output.close();
    this.output = output;
  }

  /** Writes what is waiting, and releases the file. */
  close(): void {
    this.flush();
    if (this.options.to !== 'stdout') this.output.close();
  }

  private open(): LogOutput {
    const { to } = this.options;
    if (to === 'stdout') return sharedOutput();
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NONBLOCK;
    try {
      return new LogOutput(openSync(to, flags, 0o640));
    } catch (error) {
      const why = `--access-log ${to} cannot be written: ${messageOf(error)}`;
      throw new ServingError('FAILED_PRECONDITION', why, { cause: error });
    }
  }

  private readonly flush = (): void => {
    if (this.lines === '') return;
    this.output.write(this.lines, this.count);
    this.lines = '';
    this.count = 0;
  };
}

function textLine(record: RequestRecord, time: WallTime): string {
  const { peer, method, path, httpStatus, bytesIn, bytesOut, seconds, requestId } = record;
  const request = `${isoTime(time)} ${peer || '-'} ${method} ${withoutQuery(path)} ${httpStatus}`;
  const cost = `${bytesIn} ${bytesOut} ${millis(seconds)} ms`;
  return `${request} ${cost} ${record.status}${ofModel(record)}${ofKey(record)} ${requestId}\n`;
}

function ofModel({ model, version, queueMicros, runMicros }: RequestRecord): string {
  if (model === '') return '';
  const times = `queue ${millis(queueMicros / 1e6)} run ${millis(runMicros / 1e6)}`;
  return ` ${version === '' ? model : `${model}/${version}`} ${times}`;
}

function ofKey({ keyId }: RequestRecord): string {
  return keyId === '' ? '' : ` key ${keyId}`;
}

function jsonLine(record: RequestRecord, time: WallTime): string {
  const { model, keyId, status } = record;
  return `${JSON.stringify({
    time: isoTime(time),
    level: 'info',
    msg: 'request',
    peer: record.peer,
    method: record.method,
    path: withoutQuery(record.path),
    status: record.httpStatus,
    bytes_in: record.bytesIn,
    bytes_out: record.bytesOut,
    seconds: rounded(record.seconds),
    request_id: record.requestId,
    ...(keyId === '' ? {} : { key: keyId }),
    ...(status === 'ok' ? {} : { code: status }),
    ...(model === ''
      ? {}
      : {
          model,
          version: record.version,
          queue_seconds: rounded(record.queueMicros / 1e6),
          run_seconds: rounded(record.runMicros / 1e6),
        }),
  })}\n`;
}

/** As Apache and nginx write it: https://httpd.apache.org/docs/2.4/logs.html#combined */
function combinedLine(record: RequestRecord, time: WallTime): string {
  const { peer, keyId, method, path, httpVersion, httpStatus, bytesOut, referer, userAgent } = record;
  const who = `${peer || '-'} - ${keyId || '-'} [${apacheTime(time)}]`;
  const request = `"${method} ${escaped(withoutQuery(path))} HTTP/${httpVersion}"`;
  return `${who} ${request} ${httpStatus} ${bytesOut} "${escaped(withoutQuery(referer)) || '-'}" "${escaped(userAgent) || '-'}"\n`;
}

/** A path or a whole address, without what may be secret: the query, the fragment, a name and a password. */
function withoutQuery(path: string): string {
  const query = path.search(/[?#]/);
  const shown = query < 0 ? path : path.slice(0, query);
  return shown.startsWith('/') ? shown : shown.replace(/^([a-z][\w+.-]*:\/\/)[^/]*@/i, '$1');
}

/** What a header may hold, so that it ends neither its quotes nor the line. */
function escaped(text: string): string {
  return text.replace(
    /[^ !#-[\]-~]/g,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

function millis(seconds: number): string {
  return (seconds * 1000).toFixed(3);
}

/** To microseconds. */
function rounded(seconds: number): number {
  return Math.round(seconds * 1e6) / 1e6;
}

/** The part of a time that a second's lines share. */
class PerSecond {
  private second = -1;
  private text = '';

  constructor(private readonly make: (time: Date) => string) {}

  at(time: WallTime): string {
    const second = Math.floor(time / 1000);
    if (second !== this.second) {
      this.second = second;
      this.text = this.make(new Date(time));
    }
    return this.text;
  }
}

const isoSecond = new PerSecond((date) => date.toISOString().slice(0, 'YYYY-MM-DDThh:mm:ss'.length));
const apacheSecond = new PerSecond((date) => {
  const [, day, month, year, clock] = /, (\d+) (\w+) (\d+) (\S+)/.exec(date.toUTCString()) ?? [];
  return `${day}/${month}/${year}:${clock} +0000`;
});

/** `2026-11-29T16:00:01.123Z` */
function isoTime(time: WallTime): string {
  return `${isoSecond.at(time)}.${String(time % 1000).padStart(3, '0')}Z`;
}

/** `29/Nov/2026:16:00:01 +0000` */
function apacheTime(time: WallTime): string {
  return apacheSecond.at(time);
}
