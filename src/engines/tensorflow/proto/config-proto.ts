/**
 * The parts of `tensorflow.ConfigProto` and `tensorflow.RunOptions` (config.proto) that we set.
 */
import { tensorflow } from '#proto/encoders.js';

/** TensorFlow's options that hold for the process (threads within an op, GPUs) or for each session (threads between ops). */
export interface SessionOptions {
  /** Use no GPU even if there is one. */
  readonly hideGpus?: boolean | undefined;
  /** Threads within one operation, for the whole process; TensorFlow's choice by default. */
  readonly intraThreads?: number | undefined;
  /** Threads between operations, per session; TensorFlow's choice by default. */
  readonly interThreads?: number | undefined;
  /** Take GPU memory as it is needed instead of all at once. */
  readonly gpuMemoryGrowth?: boolean | undefined;
  /** Share of each GPU's memory to take, 0 to 1. */
  readonly gpuMemoryFraction?: number | undefined;
  /** Which GPUs, as CUDA numbers them: `0,2`. */
  readonly visibleDevices?: string | undefined;
  /** Compile graphs by XLA, on processors too, where TensorFlow does not unless it is told twice. Per session. */
  readonly xla?: boolean | undefined;
  /** Compute in so many bits where TensorFlow holds that to be safe: float16 on GPUs, bfloat16 on processors. Per session. */
  readonly mixedPrecision?: 'float16' | 'bfloat16' | undefined;
}

/** `OptimizerOptions.ON_1` and `RewriterConfig.ON`. */
const on = 1;

/** A serialized ConfigProto. Soft placement is on, so that a model exported with GPU device names runs on a CPU. */
export function encodeSessionOptions(options: SessionOptions): Uint8Array {
  return tensorflow.ConfigProto.encode({
    allowSoftPlacement: true,
    deviceCount: options.hideGpus ? { GPU: 0 } : {},
    intraOpParallelismThreads: options.intraThreads ?? null,
    interOpParallelismThreads: options.interThreads ?? null,
    gpuOptions: {
      allowGrowth: options.gpuMemoryGrowth ?? null,
      perProcessGpuMemoryFraction: options.gpuMemoryFraction ?? null,
      visibleDeviceList: options.visibleDevices ?? null,
    },
    graphOptions: graphOptions(options),
  }).finish();
}

function graphOptions({ xla, mixedPrecision }: SessionOptions): tensorflow.GraphOptions.$Properties | null {
  if (!xla && mixedPrecision === undefined) return null;
  const passes = { float16: 'autoMixedPrecision', bfloat16: 'autoMixedPrecisionOnednnBfloat16' };
  return {
    optimizerOptions: xla ? { globalJitLevel: on, cpuGlobalJit: true } : null,
    rewriteOptions: mixedPrecision ? { [passes[mixedPrecision]]: on } : null,
  };
}

/** What one run may ask for. */
export interface RunSettings {
  /** TensorFlow is asked to give up after so many seconds. */
  readonly timeoutSeconds?: number | undefined;
  /** Run on the calling thread instead of in the pool between operations. */
  readonly onThisThread?: boolean | undefined;
  /**
   * Record when each operation ran: as the processor sees it, or also what GPUs did. The latter fails while another run of
   * the process is traced so.
   */
  readonly trace?: 'processor' | 'gpus' | undefined;
}

/** `RunOptions.SOFTWARE_TRACE` and `FULL_TRACE`. */
const traceLevels = { processor: 1, gpus: 3 } as const;

/** A serialized RunOptions, or null where nothing is asked for. */
export function encodeRunOptions({ timeoutSeconds, onThisThread, trace }: RunSettings): Uint8Array | null {
  if (timeoutSeconds === undefined && !onThisThread && !trace) return null;
  return tensorflow.RunOptions.encode({
    timeoutInMs: timeoutSeconds === undefined ? null : Math.max(1, Math.ceil(timeoutSeconds * 1000)),
    interOpThreadPool: onThisThread ? -1 : null,
    traceLevel: trace ? traceLevels[trace] : null,
  }).finish();
}
