/** Opens the one runtime of the process. */
import { messageOf, ServingError } from '../../errors.js';
import { openTensorFlowJs } from '../../tfjs/open.js';
import { type ComputeOptions, chooseComputeMode, thisProcessor, whyNoBfloat16 } from './compute-mode.js';
import { decodeImagesBy } from './images.js';
import { addonFile, howToInstall, missingParts } from './installed.js';
import { loadBinding, type NativeBinding } from './native.js';
import { deviceOf, nativeRuntime } from './native-runtime.js';
import { loadOpLibraries } from './op-libraries.js';
import { encodeSessionOptions, type SessionOptions } from './proto/config-proto.js';
import type { Runtime, RuntimeKind } from './runtime.js';
import { tfjsRuntime } from './tfjs-runtime.js';
import { limitXla } from './xla.js';

export interface RuntimeOptions extends Omit<SessionOptions, 'hideGpus' | 'mixedPrecision'>, ComputeOptions {
  readonly kind: RuntimeKind;
  /** `auto` takes a GPU if TensorFlow finds one. */
  readonly device: 'cpu' | 'gpu' | 'auto';
  /** The number of threads that run models, at least 1. */
  readonly runThreads: number;
  /** Shared objects with custom operations, or folders of them. */
  readonly opLibraries?: readonly string[] | undefined;
  /** What TensorFlow itself logs to stderr: 0 for everything, 1 for warnings, 2 for errors, 3 for fatal errors. */
  readonly tensorflowLogLevel: 0 | 1 | 2 | 3;
}

/**
 * Opens TensorFlow with these options, once per process. TensorFlow fixes some of them at its first session (threads
 * within an op, GPU memory, visible devices). It must run on the main thread, because the environment of a worker does
 * not reach TensorFlow.
 *
 * @throws ServingError FAILED_PRECONDITION if the device or the addon is not available, or TensorFlow is not installed
 */
export function openRuntime(options: RuntimeOptions): Runtime {
  const [missing] = missingParts('tfjs');
  if (missing !== undefined)
    throw new ServingError(
      'FAILED_PRECONDITION',
      `TensorFlow is not installed (no ${missing}): ${howToInstall}`,
    );
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= String(options.tensorflowLogLevel);
  const hideGpus = options.device === 'cpu';
  // tfjs-node's own context takes no options. It only reads the environment.
  if (hideGpus) process.env['CUDA_VISIBLE_DEVICES'] = '-1';
  const runtime = options.kind === 'native' ? openNative({ ...options, hideGpus }) : openTfjs(options);
  if (options.device === 'gpu' && runtime.device !== 'gpu') {
    throw new ServingError(
      'FAILED_PRECONDITION',
      '--device gpu: TensorFlow finds no usable GPU here; install with DEVICE=gpu and an NVIDIA driver, or use --device cpu',
    );
  }
  return runtime;
}

function openNative({ mixedPrecision, xla, ...options }: RuntimeOptions & { hideGpus: boolean }): Runtime {
  if (!limitXla(xla === true))
    throw new ServingError(
      'FAILED_PRECONDITION',
      '--xla: a server of this process has opened TensorFlow without it; start that with --xla too, or this one in a process of its own',
    );
  const binding = loadAddon();
  const devices = binding.initialize(encodeSessionOptions(options), options.runThreads);
  openTensorFlowJs();
  // The available precision depends on the devices.
  const choice = chooseComputeMode({ ...options, xla, mixedPrecision }, deviceOf(devices), () =>
    whyNoBfloat16(thisProcessor()),
  );
  const config = encodeSessionOptions({ ...options, ...choice.mode });
  const opLibraries = loadOpLibraries(binding, options.opLibraries ?? []);
  const imageConfig = encodeSessionOptions(options);
  const imagesAtOnce = Math.max(1, Math.floor(options.runThreads / 2));
  decodeImagesBy(binding, imageConfig, imagesAtOnce);
  // TensorFlow does not check the time while a run stays on one thread.
  const heedsTimeouts = options.interThreads !== -1;
  const runtime = nativeRuntime(binding, devices, config, { heedsTimeouts, opLibraries, ...choice });
  return { ...runtime, shared: { heedsTimeouts, device: runtime.device, imageConfig, imagesAtOnce } };
}

/** @param otherwise says what to do without it */
function loadAddon(otherwise = 'serve with --runtime tfjs'): NativeBinding {
  try {
    return loadBinding(addonFile);
  } catch (error) {
    const [reason] = messageOf(error).split('\n'); // A list of the modules that required it follows.
    throw new ServingError(
      'FAILED_PRECONDITION',
      `the native addon cannot be loaded (${reason}): ${howToInstall}, or ${otherwise}`,
    );
  }
}

/** Opens tfjs-node's runtime. It opens TensorFlow by itself, and only reads the environment. */
function openTfjs(options: RuntimeOptions): Runtime {
  const environment = {
    TF_NUM_INTRAOP_THREADS: options.intraThreads,
    // It cannot run on the thread of the caller.
    TF_NUM_INTEROP_THREADS: options.interThreads === -1 ? undefined : options.interThreads,
    TF_FORCE_GPU_ALLOW_GROWTH: options.gpuMemoryGrowth,
    CUDA_VISIBLE_DEVICES: options.visibleDevices,
  };
  for (const [name, value] of Object.entries(environment)) {
    if (value !== undefined) process.env[name] = String(value);
  }
  const tf = openTensorFlowJs();
  // tfjs-node cannot load them. The addon can, without a runtime of its own, because operations belong to the process.
  const asked = options.opLibraries ?? [];
  const opLibraries = asked.length > 0 ? loadOpLibraries(loadAddon('serve without --op-library'), asked) : [];
  return tfjsRuntime(tf, { ...options, opLibraries });
}
