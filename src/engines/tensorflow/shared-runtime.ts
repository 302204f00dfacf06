/** The runtime of a worker: it runs the models that the main thread has loaded. */
import { openHostTensors } from '../../tfjs/open.js';
import type { InferenceModel, SharedModel } from '../inference-model.js';
import { decodeImagesBy } from './images.js';
import { addonFile } from './installed.js';
import { loadBinding, type NativeBinding } from './native.js';
import { openShared } from './native-runtime.js';
import type { SharedRuntime } from './runtime.js';

export interface WorkerRuntime {
  readonly binding: NativeBinding;
  /** @throws ServingError NOT_FOUND if the main thread holds the model no more */
  open(model: SharedModel): InferenceModel;
}

/** Opens the runtime on a worker. The main thread has opened TensorFlow. */
export function openWorkerRuntime(shared: SharedRuntime): WorkerRuntime {
  const binding = loadBinding(addonFile);
  openHostTensors();
  decodeImagesBy(binding, shared.imageConfig, shared.imagesAtOnce);
  return { binding, open: (model) => openShared(binding, model, shared) };
}
