/**
 * The addon under test, and the few things all native tests do with it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  type CallHandle,
  type Feed,
  loadBinding,
  type NativeBinding,
  type NativeError,
  type Output,
  type SessionHandle,
} from '../../src/engines/tensorflow/native.ts';

// Before the library loads: TensorFlow's own log would bury the test's.
process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '3';

export const addonPath =
  process.env['TFJS_SERVING_ADDON'] ??
  fileURLToPath(new URL('../../build/tfjs_serving.node', import.meta.url));

export const runThreads = 4;

/** The addon, initialized. */
export function openAddon(): NativeBinding {
  const addon = loadBinding(addonPath);
  addon.initialize(new Uint8Array(), runThreads);
  return addon;
}

export function modelPath(name: string): string {
  return fileURLToPath(new URL(`../models/${name}/1`, import.meta.url));
}

export function load(addon: NativeBinding, model: string): Promise<SessionHandle> {
  return addon.loadSession(modelPath(model), ['serve'], new Uint8Array());
}

/** `tensorflow.DataType` numbers of the dtypes whose elements are plain bytes, and the bytes of one element. */
export const fixedWidth = {
  bool: [10, 1],
  int8: [6, 1],
  int16: [5, 2],
  int32: [3, 4],
  int64: [9, 8],
  uint8: [4, 1],
  uint16: [17, 2],
  uint32: [22, 4],
  uint64: [23, 8],
  float16: [19, 2],
  bfloat16: [14, 2],
  float32: [1, 4],
  float64: [2, 8],
  complex64: [8, 8],
  complex128: [18, 16],
} as const;

export type FixedWidth = keyof typeof fixedWidth;

export const stringDtype = 7;

/** Tensor names of the `identity` model's signature for a dtype: the exporter numbers the signatures by name. */
export function identityNames(dtype: FixedWidth | 'string'): { feed: string; fetch: string } {
  const signatures = [...Object.keys(fixedWidth), 'string', 'serving_default'].sort();
  return { feed: `${dtype}_x:0`, fetch: `PartitionedCall_${signatures.indexOf(dtype) + 1}:0` };
}

export function float32(shape: number[], values: Iterable<number>): Feed {
  return [1, shape, new Uint8Array(Float32Array.from(values).buffer)];
}

export function int32(shape: number[], values: Iterable<number>): Feed {
  return [3, shape, new Uint8Array(Int32Array.from(values).buffer)];
}

/** Bytes that differ from their neighbours. */
export function pattern(size: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: size }, (_, i) => (i * 31 + 7) % 251);
}

/** The `slow` model: x float32[1] = 1, each step a matmul of 128 × 128. */
export function slowCall(addon: NativeBinding, session: SessionHandle): CallHandle {
  return addon.prepare(
    session,
    ['serving_default_x:0', 'serving_default_steps:0'],
    ['StatefulPartitionedCall:0'],
  );
}

export function slowFeeds(steps: number): Feed[] {
  return [float32([1], [1]), int32([], [steps])];
}

/** The bytes of a fixed-width output. */
export function bytesOf(output: Output | undefined): Uint8Array<ArrayBuffer> {
  const data = output?.[2];
  if (!(data instanceof Uint8Array)) throw new Error('the output has no bytes of fixed width');
  return data;
}

export function floatsOf(output: Output | undefined): number[] {
  const { buffer, byteOffset, byteLength } = bytesOf(output);
  return [...new Float32Array(buffer, byteOffset, byteLength / 4)];
}

/** The code of the failure that `action` ends in, or `null` if it ends well. */
export async function codeOf(action: () => unknown): Promise<string | null> {
  try {
    await action();
    return null;
  } catch (error) {
    return (error as NativeError).code;
  }
}

/** Waits for a condition, not for a time. The test's own timeout ends it. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(1);
}

setFlagsFromString('--expose-gc');
const gc: () => void = runInNewContext('gc');

/** Lets the collector free every output it can reach. */
export async function collect(): Promise<void> {
  gc();
  await delay(1);
}

/** Everything the addon can hold, but for the Node threads that use it. */
export const nothingHeld = {
  sessions: 0,
  runsQueued: 0,
  runsInFlight: 0,
  loadsInFlight: 0,
  closesInFlight: 0,
  tensors: 0,
  tensorBytes: 0,
} as const;
