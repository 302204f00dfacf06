/** The record of one request, which metrics and the access log read at its end. */
import type { ErrorCode } from '../errors.js';
import type { Microseconds, Seconds } from '../time.js';

/** How a request ended: `ok`, or with the code of an error. */
export type RequestStatus = ErrorCode | 'ok';

/** One request that has ended, however it ended and wherever it was refused. */
export interface RequestRecord {
  /** How it came: as a request of HTTP, or as a call in this process. A call has no client, and nothing of HTTP. */
  readonly via: 'http' | 'process';
  readonly method: string;
  readonly path: string;
  readonly requestId: string;
  /** The address of the client. */
  readonly peer: string;
  /** The id of the API key; empty without one. */
  readonly keyId: string;
  /** True if the request asked for a prediction. */
  readonly isInference: boolean;
  /** The model; empty if the request named none that exists. */
  readonly model: string;
  /** The version; empty if none answered. */
  readonly version: number | '';
  readonly status: RequestStatus;
  /** 499 if the client left before there was an answer. */
  readonly httpStatus: number;
  /** As in `HTTP/1.1`. */
  readonly httpVersion: string;
  /** Headers that the client sent; empty without them. */
  readonly userAgent: string;
  readonly referer: string;
  /** The bytes of the body as they were read, and of the answer. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** The microseconds from the body to tensors, in the queue, in the run, and from tensors to an answer; 0 if it came not so far. */
  readonly decodeMicros: Microseconds;
  readonly queueMicros: Microseconds;
  readonly runMicros: Microseconds;
  readonly encodeMicros: Microseconds;
  /** The rows of the run that it was in; 0 without one. */
  readonly batchSize: number;
  /** The seconds from the first byte of the head to the last byte of the answer. */
  readonly seconds: Seconds;
}

/** Called with each request that has ended. */
export type RecordObserver = (record: RequestRecord) => void;

/** A record before anything is known. How the request came and how it ended is always known. */
export const blankRecord: Omit<RequestRecord, 'via' | 'status'> = {
  method: '',
  path: '',
  requestId: '',
  peer: '',
  keyId: '',
  isInference: false,
  model: '',
  version: '',
  httpStatus: 0,
  httpVersion: '',
  userAgent: '',
  referer: '',
  bytesIn: 0,
  bytesOut: 0,
  decodeMicros: 0,
  queueMicros: 0,
  runMicros: 0,
  encodeMicros: 0,
  batchSize: 0,
  seconds: 0,
};
