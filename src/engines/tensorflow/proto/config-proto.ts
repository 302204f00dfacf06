/** Writes the parts of `tensorflow.ConfigProto` and `tensorflow.RunOptions` (config.proto) that we set. */
import { tensorflow } from '#proto/encoders.js';
import { inMilliseconds, type Seconds } from '../../../time.js';

/** TensorFlow's options for the process (threads within an op, GPUs) and for each session (threads between ops). */
export interface SessionOptions {
  /** Uses no GPU, even if there is one. */
  readonly hideGpus?: boolean | undefined;
  /** The threads within one operation, for the whole process. TensorFlow chooses by default. */
  readonly intraThreads?: number | undefined;
  /** The threads between operations, for each session. TensorFlow chooses by default. */
  readonly interThreads?: number | undefined;
  /** Takes GPU memory as it is needed instead of all at once. */
  readonly gpuMemoryGrowth?: boolean | undefined;
  /** The share of each GPU's memory to take, from 0 to 1. */
  readonly gpuMemoryFraction?: number | undefined;
  /** The GPUs to use, numbered as in CUDA: `0,2`. */
  readonly visibleDevices?: string | undefined;
  /** Compiles graphs with XLA, for each session. TensorFlow must be told twice to do so on processors. */
  readonly xla?: boolean | undefined;
  /**
   * Computes with fewer bits where TensorFlow considers that safe, for each session: float16 on GPUs, bfloat16 on
   * processors.
   */
  readonly mixedPrecision?: 'float16' | 'bfloat16' | undefined;
}

/** `OptimizerOptions.ON_1` and `RewriterConfig.ON`. */
const on = 1;

/**
 * Writes a serialized ConfigProto. Soft placement is on, so that a model exported with the names of GPUs runs on a CPU.
 */
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

/** The settings of one run. */
export interface RunSettings {
  /** The seconds after which TensorFlow is asked to give up. */
  readonly timeoutSeconds?: Seconds | undefined;
  /** Runs on the calling thread instead of in the pool between operations. */
  readonly onThisThread?: boolean | undefined;
  /**
   * Records when each operation ran, on the processor or also on GPUs. Tracing GPUs fails while another run of the
   * process traces them.
   */
  readonly trace?: 'processor' | 'gpus' | undefined;
}

/** `RunOptions.SOFTWARE_TRACE` and `FULL_TRACE`. */
const traceLevels = { processor: 1, gpus: 3 } as const;

/** Writes a serialized RunOptions; null if nothing is set. */
export function encodeRunOptions({ timeoutSeconds, onThisThread, trace }: RunSettings): Uint8Array | null {
  if (timeoutSeconds === undefined && !onThisThread && !trace) return null;
  return tensorflow.RunOptions.encode({
    timeoutInMs: timeoutSeconds === undefined ? null : Math.max(1, Math.ceil(inMilliseconds(timeoutSeconds))),
    interOpThreadPool: onThisThread ? -1 : null,
    traceLevel: trace ? traceLevels[trace] : null,
  }).finish();
}
