/**
 * Opens TensorFlow in this process, once, in the one order that works: environment, our addon with the process-wide
 * options, and only then tfjs-node, whose import opens an eager context and with it whatever was not decided yet.
 *
 * Nothing happens at import.
 */
import { createRequire } from 'node:module';
import util from 'node:util';
import type * as tfjs from '@tensorflow/tfjs-node-gpu';
import { extendBackend } from './backend.js';
import { type HostTensors, hostTensors } from './host-tensor.js';

export type TensorFlowJs = typeof tfjs;

interface Opened {
  readonly tf: TensorFlowJs;
  readonly tensors: HostTensors;
}

let opened: Opened | undefined;

/** Imports tfjs-node and extends its backend. Later calls return the same. */
export function openTensorFlowJs(): TensorFlowJs {
  if (!opened) {
    restoreIsNullOrUndefined();
    const tf = createRequire(import.meta.url)('@tensorflow/tfjs-node-gpu') as TensorFlowJs;
    tf.enableProdMode();
    opened = { tf, tensors: hostTensors(tf, extendBackend(tf.backend())) };
  }
  return opened.tf;
}

/** tf.js, and tensors over host memory. @throws Error before {@link openTensorFlowJs} */
export function tensorFlowJs(): Opened {
  if (!opened) throw new Error('TensorFlow is not open yet: call openRuntime first');
  return opened;
}

/** tfjs-node 4.22.0 calls `util.isNullOrUndefined` (in TopK and others), which Node removed in 23. */
function restoreIsNullOrUndefined(): void {
  if (!('isNullOrUndefined' in util)) {
    Object.defineProperty(util, 'isNullOrUndefined', {
      value: (x: unknown) => x === null || x === undefined,
    });
  }
}
