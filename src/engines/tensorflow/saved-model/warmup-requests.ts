/**
 * Reads `assets.extra/tf_serving_warmup_requests`, in which publishers put requests to warm a version up with. As in
 * TensorFlow Serving, it holds TFRecords (`tensorflow/core/lib/io/record_writer.h`) of PredictionLog
 * (prediction_log.proto).
 */
import path from 'node:path';
import { tensorflow } from '#proto/decoders.js';
import { invalidArgument, ServingError } from '../../../errors.js';
import { readRegularFile } from '../../../files/regular-file.js';
import { readFailure } from '../../../files/storage-failure.js';
import type { WarmupRequest } from '../../engine.js';
import { readerOf } from '../proto/message-reader.js';
import { readTensorProto } from '../proto/tensor-proto.js';

/** The name of the file in `assets.extra`. */
export const warmupRequestsFile = 'tf_serving_warmup_requests';

/** The most records, as in TensorFlow Serving. */
const maxRecords = 1000;

/** The most bytes. A thousand images of 512 × 512 fit. */
const maxBytes = 2 ** 30;

/** The length, its checksum, and the checksum of the data. */
const headBytes = 12;
const tailBytes = 4;

/**
 * The warm-up requests of a version; undefined if it has none.
 *
 * @throws ServingError INVALID_ARGUMENT if the file does not hold such requests, UNAVAILABLE if the storage fails
 */
export async function readWarmupRequests(directory: string): Promise<WarmupRequest[] | undefined> {
  const name = path.join(directory, 'assets.extra', warmupRequestsFile);
  const file = await readRegularFile(name, maxBytes).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw readFailure(
      warmupRequestsFile,
      error,
      (code) => new ServingError('FAILED_PRECONDITION', `${warmupRequestsFile} cannot be read (${code})`),
    );
  });
  return file && Array.from(records(file), toRequest);
}

function* records(file: Buffer): Generator<Uint8Array> {
  let count = 0;
  for (let at = 0; at < file.length; ) {
    if (++count > maxRecords)
      throw invalidArgument(`${warmupRequestsFile} has more than ${maxRecords} records`);
    const length =
      at + headBytes <= file.length ? Number(file.readBigUInt64LE(at)) : Number.POSITIVE_INFINITY;
    const start = at + headBytes;
    if (start + length + tailBytes > file.length) throw invalidArgument(`${warmupRequestsFile} is cut short`);
    yield file.subarray(start, start + length);
    at = start + length + tailBytes;
  }
}

/** The value of an input that was left out. Its dtype is 0, which no tensor has. */
const nothing = new tensorflow.TensorProto();

function toRequest(record: Uint8Array, index: number): WarmupRequest {
  const what = `record ${index} of ${warmupRequestsFile}`;
  const request = decode(record, what);
  if (!request) throw new ServingError('UNIMPLEMENTED', `${what} is no predict request`);
  const inputs = request.inputs.map(
    ({ key, value }) => [key, readTensorProto(`${what}, input \`${key}\``, value ?? nothing)] as const,
  );
  return {
    signature: request.modelSpec?.signatureName ?? '',
    inputs: new Map(inputs),
    outputs: request.outputFilter,
  };
}

function decode(record: Uint8Array, what: string): tensorflow.PredictRequest | undefined {
  try {
    return tensorflow.PredictionLog.decode(readerOf(record)).predictLog?.request ?? undefined;
  } catch {
    throw invalidArgument(`${what} is no PredictionLog`);
  }
}
