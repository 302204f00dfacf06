/**
 * Opens TensorFlow in this process, once, in the one order that works: the environment, our addon with the options of
 * the process, and then tfjs-node. The import of tfjs-node opens an eager context, which fixes every option that is
 * still open.
 *
 * Importing this module does nothing.
 */
import { createRequire } from 'node:module';
import util from 'node:util';
import type * as tfjs from '@tensorflow/tfjs-node-gpu';
import { extendBackend, type HostBackend } from './backend.js';
import { type HostTensors, hostTensors } from './host-tensor.js';

export type TensorFlowJs = typeof tfjs;

interface Opened {
  readonly tf: TensorFlowJs;
  readonly tensors: HostTensors;
}

/** The module that has tensors and the engine, without a backend. */
const core = '@tensorflow/tfjs-core';

let opened: Opened | undefined;

/** Imports tfjs-node and extends its backend. A later call returns the same objects. */
export function openTensorFlowJs(): TensorFlowJs {
  if (!opened) {
    restoreIsNullOrUndefined();
    const tf = createRequire(import.meta.url)('@tensorflow/tfjs-node-gpu') as TensorFlowJs;
    tf.enableProdMode();
    opened = { tf, tensors: hostTensors(tf, extendBackend(tf.backend())) };
  }
  return opened.tf;
}

/**
 * Opens tensors over host memory without tfjs-node, for a thread that makes and reads tensors and calls no operations.
 * Operations of several threads would race in tfjs-node, which keeps state for the process.
 */
export function openHostTensors(): void {
  if (opened) return;
  const require = createRequire(import.meta.url);
  const tf = createRequire(require.resolve('@tensorflow/tfjs-node-gpu'))(core) as TensorFlowJs;
  opened = { tf, tensors: hostTensors(tf, noOperations) };
}

const noOperations: HostBackend = {
  register() {
    throw new Error('operations of tf.js run on the main thread alone');
  },
  hostOf: () => undefined,
};

/** tf.js, and tensors over host memory. */
export function tensorFlowJs(): Opened {
  if (!opened) throw new Error('TensorFlow is not open yet: call openRuntime first');
  return opened;
}

/** tfjs-node 4.22.0 calls `util.isNullOrUndefined` (in TopK and other places), which Node removed in version 23. */
function restoreIsNullOrUndefined(): void {
  if (!('isNullOrUndefined' in util)) {
    Object.defineProperty(util, 'isNullOrUndefined', {
      value: (x: unknown) => x === null || x === undefined,
    });
  }
}
