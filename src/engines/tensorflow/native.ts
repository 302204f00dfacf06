/**
 * The native boundary: the one file that loads our addon (`native/`), and the description of what it exports.
 *
 * Rules on both sides of it:
 * - null, never undefined, where something may be absent.
 * - Tensors and results are tuples: an element is read and written across the boundary in a third of a property's time.
 * - What takes time returns a promise and never throws; what fails in there rejects it. The rest throws.
 * - A failure is an Error with a {@link NativeError.code | code}, TensorFlow's name for it. An argument of the wrong type
 *   is a TypeError and a fault of the caller's code.
 * - Bytes are little-endian, tensors row-major. A feed's bytes must stay as they are, and its buffer attached, until the
 *   run has settled.
 * - A pending promise keeps the process alive; an open session does not.
 * - When a Node thread ends, its open runs are dropped and its references to sessions given back. `process.exit` cancels
 *   and waits for runs under way; {@link NativeBinding.exitNow} waits for nothing.
 */
import { createRequire } from 'node:module';

declare const sessionBrand: unique symbol;
declare const callBrand: unique symbol;

/**
 * A session of the process. It is a positive number that is never used twice. `postMessage` can give it to another
 * thread.
 */
export type SessionHandle = number & { readonly [sessionBrand]: never };

/**
 * Feeds and fetches that were found in a graph. It belongs to the thread that prepared it, and is collected like any
 * object.
 */
export interface CallHandle {
  readonly [callBrand]: never;
}

/** A failure that TensorFlow reports, or the addon with TensorFlow's codes. */
export interface NativeError extends Error {
  /** `INVALID_ARGUMENT`, `NOT_FOUND`, `DEADLINE_EXCEEDED`, … */
  readonly code: string;
}

export interface NativeDevice {
  /** For example `/job:localhost/replica:0/task:0/device:CPU:0`. */
  readonly name: string;
  /** `CPU`, `GPU`, … */
  readonly type: string;
  /** The bytes that TensorFlow may allocate on it. For a CPU this is a constant without meaning. */
  readonly memoryBytes: number;
}

/**
 * A tensor to feed.
 *
 * - dtype: the number of a `tensorflow.DataType`: bool, u/int8–64, float16, bfloat16, float32/64, complex64/128 or string.
 * - shape: at most 254 dimensions; `[]` is a scalar.
 * - data: of fixed width, the elements' bytes, in one piece or in several to be joined, at any alignment; a bool is 0 or not
 *   0. Of strings, one Uint8Array per element, or all of them packed as `strings.ts` says, at any alignment.
 */
export type Feed = readonly [
  dtype: number,
  shape: readonly number[],
  data: Uint8Array | readonly Uint8Array[],
];

/**
 * A tensor that was fetched.
 *
 * - dtype: the number of a `tensorflow.DataType`.
 * - data: of fixed width, the elements' bytes, from the start of an ArrayBuffer of their own; of a few short strings, one
 *   Uint8Array per element, all on one ArrayBuffer; of others, all of them packed as `strings.ts` says. Nobody else's memory: it may be
 *   written to.
 */
export type Output = readonly [
  dtype: number,
  shape: number[],
  data: Uint8Array<ArrayBuffer> | Uint8Array<ArrayBuffer>[],
];

/**
 * - outputs: in the order of the fetches.
 * - queueMicros: microseconds from the call until a thread took the run.
 * - runMicros: microseconds from then until the outputs were there: copying large feeds, TensorFlow, copying shared outputs.
 */
export type NativeRunResult = readonly [outputs: Output[], queueMicros: number, runMicros: number];

/** The result, with the serialized `tensorflow.RunMetadata`; null if that was larger than allowed. */
export type TracedResult = readonly [result: NativeRunResult, metadata: Uint8Array | null];

/**
 * What the addon holds in the whole process. When it is idle and every output is freed, all but `environments` are
 * zero.
 */
export interface NativeCounters {
  /** The Node threads that loaded the addon and have not ended. */
  readonly environments: number;
  /** The sessions that are open or being closed. */
  readonly sessions: number;
  readonly runsQueued: number;
  readonly runsInFlight: number;
  readonly loadsInFlight: number;
  readonly closesInFlight: number;
  /** The tensors that were made for feeds, or fetched and not yet freed. */
  readonly tensors: number;
  /** The bytes of these tensors. */
  readonly tensorBytes: number;
  /**
   * The bytes of large tensors in the arena that returns memory. They include TensorFlow's own. It is 0 if TensorFlow
   * keeps its own arena.
   */
  readonly arenaBytes: number;
}

export interface NativeBinding {
  /** For example `2.21.0`. */
  readonly tensorflowVersion: string;
  /**
   * Fixed-width outputs of at least so many bytes are TensorFlow's own memory, for {@link free}. Smaller ones are
   * copies.
   */
  readonly exposedBytes: number;

  /**
   * Opens TensorFlow's devices, and threads that run models. The first call in the process decides: a session is opened
   * under `config`, so that the options which concern the whole process (threads within an op, GPU memory, visible
   * devices) take effect before anything else opens TensorFlow. Later calls, from any thread, ignore both arguments.
   * Blocks while devices are opened.
   *
   * @param config a serialized `tensorflow.ConfigProto`; empty for the defaults
   * @param runThreads how many runs may be under way at once, 1 to 1024; each is a thread
   * @returns the devices, the same for every call
   * @throws NativeError INVALID_ARGUMENT if `config` is no ConfigProto or `runThreads` is out of range
   */
  initialize(config: Uint8Array, runThreads: number): NativeDevice[];

  /**
   * Loads a shared object that registers operations and kernels, for the whole process and for good. A library whose
   * content was loaded before, under whatever path, is left alone. Blocks meanwhile.
   *
   * @param path absolute
   * @param digest of the file's content, made the same way in every call
   * @returns false if a library with this digest was loaded before
   * @throws NativeError what TensorFlow reports, for example that the file is no library, or was built for another version
   */
  loadOpLibrary(path: string, digest: string): boolean;

  /** The operations that are registered in the process now, as a serialized `tensorflow.OpList`. */
  operationList(): Uint8Array;

  /**
   * Registers `TfjsServingGuard` (native/guard.cc), the operation that checks the inputs of another one. Then graphs
   * that contain it can be loaded. A second call does nothing.
   */
  registerGuard(): void;

  /**
   * Loads a SavedModel on a thread of its own, at low priority. The calling thread then holds one reference to the session.
   * TensorFlow reports success even when the variables are missing; runs fail then.
   *
   * @param directory the folder that holds `saved_model.pb`
   * @param tags exactly those of the meta graph to load
   * @param config a serialized `tensorflow.ConfigProto`, for this session
   * @throws NativeError (rejects) FAILED_PRECONDITION before {@link initialize}, or what TensorFlow reports
   */
  loadSession(directory: string, tags: readonly string[], config: Uint8Array): Promise<SessionHandle>;

  /**
   * Takes a further reference, for the calling thread, to a session that some thread holds.
   *
   * @throws NativeError NOT_FOUND if no thread holds it any more
   */
  retainSession(session: SessionHandle): void;

  /**
   * Gives back one reference of the calling thread. The last one in the process closes the session, on a thread of its
   * own, when its last run has ended. Resolves when that is done: at once, unless this was the last.
   *
   * @throws NativeError (rejects) FAILED_PRECONDITION if this thread holds no reference
   */
  releaseSession(session: SessionHandle): Promise<void>;

  /**
   * Finds tensors in the graph, once for many runs. TensorFlow keeps what it compiles for each set of feeds and fetches
   * until the session is closed, so their number must not be left to strangers.
   *
   * @param feeds names of tensors, `operation:index` or `operation` for index 0
   * @param fetches likewise
   * @throws NativeError NOT_FOUND if the graph lacks one, UNIMPLEMENTED for a dtype without plain bytes (resource,
   * variant, quantised), FAILED_PRECONDITION if this thread holds no reference to the session
   */
  prepare(session: SessionHandle, feeds: readonly string[], fetches: readonly string[]): CallHandle;

  /**
   * Runs on a thread of the pool, first come first served.
   *
   * @param feeds one for each that was prepared, in that order
   * @param runOptions a serialized `tensorflow.RunOptions`
   * @throws NativeError (rejects) INVALID_ARGUMENT for a feed of the wrong dtype, shape or size, FAILED_PRECONDITION if
   * this thread has given the session back, or what TensorFlow reports
   */
  run(
    session: SessionHandle,
    call: CallHandle,
    feeds: readonly Feed[],
    runOptions: Uint8Array | null,
  ): Promise<NativeRunResult>;

  /**
   * Does the same as {@link run} on this thread, which is blocked until the end.
   *
   * @throws NativeError what {@link run} rejects with
   */
  runHere(session: SessionHandle, call: CallHandle, feeds: readonly Feed[]): NativeRunResult;

  /**
   * Does the same as {@link run}, and returns what TensorFlow has recorded under the trace level of `runOptions`.
   *
   * @param maxMetadataBytes is the limit: a larger record is thrown away, although TensorFlow makes it
   */
  runTraced(
    session: SessionHandle,
    call: CallHandle,
    feeds: readonly Feed[],
    runOptions: Uint8Array | null,
    maxMetadataBytes: number,
  ): Promise<TracedResult>;

  /**
   * Does the same as {@link run}, on a thread of its own at low priority. It is for warm-ups, which nobody waits for.
   */
  runInBackground(
    session: SessionHandle,
    call: CallHandle,
    feeds: readonly Feed[],
    runOptions: Uint8Array | null,
  ): Promise<NativeRunResult>;

  /**
   * Detaches an ArrayBuffer and frees its memory now, before the garbage collector would. It may be that of {@link
   * Output}, or any other. A second call does nothing.
   */
  free(data: ArrayBuffer): void;

  counters(): NativeCounters;

  /** The bytes of large tensors that were ever freed. The number only grows. */
  freedBytes(): number;

  /** Begins to return free memory to the system, on a thread of its own. It takes a tenth of a second for each GB. */
  giveBackFreeMemory(): void;

  /** The bytes of a TCP connection that the other side has not acknowledged; -1 if the system does not tell. */
  unacknowledged(descriptor: number): number;

  /**
   * Sends a datagram to a UNIX socket, without waiting for room.
   *
   * @param path is that of a file, or begins with `@` for a name in the abstract namespace of Linux
   * @throws NativeError INVALID_ARGUMENT if the path is too long, UNAVAILABLE with the system's reason
   */
  notify(path: string, message: string): void;

  /**
   * Opens sockets that listen on one port, so that the system shares connections among them. Where the system cannot do
   * that, there is one socket. They belong to the process: {@link closeDescriptor} closes them.
   *
   * @param address is an IPv4 or IPv6 address
   * @param port is the port; 0 picks a free one
   * @throws NativeError ALREADY_EXISTS if somebody listens there, UNAVAILABLE with the system's reason
   */
  openPort(address: string, port: number, count: number): number[];

  /** A second descriptor of the same socket. The thread that gets it closes it. @throws NativeError UNAVAILABLE */
  duplicateDescriptor(descriptor: number): number;

  /** The two ends of a new connection within the process. @throws NativeError UNAVAILABLE */
  openSocketPair(): [number, number];

  closeDescriptor(descriptor: number): void;

  /** Ends the process at once, whatever hangs, without exit handlers and without waiting for runs. */
  exitNow(code: number): never;
}

/**
 * Loads the addon. Once for each Node thread is enough, and more calls do no harm.
 *
 * @param path of the `.node` file, absolute
 * @throws Error if it is missing, or libtensorflow is
 */
export function loadBinding(path: string): NativeBinding {
  return createRequire(import.meta.url)(path) as NativeBinding;
}
