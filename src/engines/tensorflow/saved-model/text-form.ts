/** Turns `saved_model.pbtxt`, a SavedModel in protobuf's text format, into the bytes of a `saved_model.pb`. */
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { ServingError } from '../../../errors.js';

/** TensorFlow loads this file if there is no `saved_model.pb`. */
export const savedModelTextFile = 'saved_model.pbtxt';

/** The most bytes of a text. It takes about a second for each 6 MB, on a thread of its own. */
const maxBytes = 16 * 2 ** 20;

/** The memory that the thread may take for its objects, in MiB: 15 MB of short messages took 600. */
const maxHeapMegabytes = 1024;

/** The program of the thread. It has its own thread because the parser cannot pause. */
const program = `
  const { workerData, parentPort } = require('node:worker_threads');
  const protobuf = require(workerData.protobuf);
  const textformat = require(workerData.textformat);
  const type = protobuf.Root.fromJSON(require(workerData.description)).lookupType('tensorflow.SavedModel');
  try {
    const message = textformat.fromText(type, Buffer.from(workerData.text.buffer).toString());
    const bytes = new Uint8Array(type.encode(message).finish());
    parentPort.postMessage({ bytes }, [bytes.buffer]);
  } catch (error) {
    parentPort.postMessage({ why: error instanceof Error ? error.message : undefined });
  }
`;

/** What the thread returns: the binary form, or why there is none. */
type Told = { readonly bytes: Uint8Array } | { readonly why: string | undefined };

/**
 * The same SavedModel in protobuf's binary format.
 *
 * @param text is empty afterwards, because its memory is given to another thread
 * @throws ServingError DATA_LOSS if it is no complete SavedModel; UNIMPLEMENTED if it is too long
 */
export async function savedModelOfText(text: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  if (text.length > maxBytes)
    throw new ServingError(
      'UNIMPLEMENTED',
      `${savedModelTextFile} has ${text.length} bytes, more than ${maxBytes}: save it as saved_model.pb`,
    );
  const told = await parse(text).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ERR_WORKER_OUT_OF_MEMORY') throw error;
    throw new ServingError(
      'UNIMPLEMENTED',
      `${savedModelTextFile} takes more than ${maxHeapMegabytes} MiB to read: save it as saved_model.pb`,
    );
  });
  if ('bytes' in told) return told.bytes;
  const why = told.why === undefined ? '' : `: ${told.why}`;
  throw new ServingError('DATA_LOSS', `${savedModelTextFile} is damaged or not complete${why}`);
}

async function parse(text: Uint8Array<ArrayBuffer>): Promise<Told> {
  const { resolve } = createRequire(import.meta.url);
  // A view on shared memory would give the rest away, too.
  const own = text.byteLength === text.buffer.byteLength ? text : new Uint8Array(text);
  const worker = new Worker(program, {
    eval: true,
    execArgv: [],
    workerData: {
      text: own,
      description: resolve('#proto/saved-model.json'),
      protobuf: resolve('protobufjs/light.js'),
      textformat: resolve('protobufjs/ext/textformat.js'),
    },
    transferList: [own.buffer],
    resourceLimits: { maxOldGenerationSizeMb: maxHeapMegabytes },
  });
  try {
    return await new Promise<Told>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
      worker.once('exit', () => reject(new Error('the thread that reads it has ended')));
    });
  } finally {
    void worker.terminate();
  }
}
