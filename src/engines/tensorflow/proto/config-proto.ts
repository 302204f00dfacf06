/**
 * The parts of `tensorflow.ConfigProto` and `tensorflow.RunOptions` (config.proto) that we set.
 */
import protobuf from 'protobufjs';

const { root } = protobuf.parse(`
  syntax = "proto3";
  package tensorflow;
  message GPUOptions {
    double per_process_gpu_memory_fraction = 1;
    bool allow_growth = 4;
    string visible_device_list = 5;
  }
  message OptimizerOptions {
    int32 global_jit_level = 5;
    bool cpu_global_jit = 7;
  }
  message RewriterConfig {
    int32 auto_mixed_precision = 23;
    int32 auto_mixed_precision_onednn_bfloat16 = 31;
  }
  message GraphOptions {
    OptimizerOptions optimizer_options = 3;
    RewriterConfig rewrite_options = 10;
  }
  message ConfigProto {
    map<string, int32> device_count = 1;
    int32 intra_op_parallelism_threads = 2;
    int32 inter_op_parallelism_threads = 5;
    GPUOptions gpu_options = 6;
    bool allow_soft_placement = 7;
    GraphOptions graph_options = 10;
  }
  message RunOptions {
    int32 trace_level = 1;
    int64 timeout_in_ms = 2;
    int32 inter_op_thread_pool = 3;
  }
`);
const ConfigProto = root.lookupType('tensorflow.ConfigProto');
const RunOptions = root.lookupType('tensorflow.RunOptions');

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
  return ConfigProto.encode(
    ConfigProto.create({
      allowSoftPlacement: true,
      ...(options.hideGpus ? { deviceCount: { GPU: 0 } } : {}),
      ...(options.intraThreads === undefined ? {} : { intraOpParallelismThreads: options.intraThreads }),
      ...(options.interThreads === undefined ? {} : { interOpParallelismThreads: options.interThreads }),
      gpuOptions: {
        ...(options.gpuMemoryGrowth === undefined ? {} : { allowGrowth: options.gpuMemoryGrowth }),
        ...(options.gpuMemoryFraction === undefined
          ? {}
          : { perProcessGpuMemoryFraction: options.gpuMemoryFraction }),
        ...(options.visibleDevices === undefined ? {} : { visibleDeviceList: options.visibleDevices }),
      },
      ...graphOptions(options),
    }),
  ).finish();
}

function graphOptions({ xla, mixedPrecision }: SessionOptions): object {
  if (!xla && mixedPrecision === undefined) return {};
  const passes = { float16: 'autoMixedPrecision', bfloat16: 'autoMixedPrecisionOnednnBfloat16' };
  return {
    graphOptions: {
      ...(xla ? { optimizerOptions: { globalJitLevel: on, cpuGlobalJit: true } } : {}),
      ...(mixedPrecision ? { rewriteOptions: { [passes[mixedPrecision]]: on } } : {}),
    },
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
  const message = RunOptions.create({
    ...(timeoutSeconds === undefined ? {} : { timeoutInMs: Math.max(1, Math.ceil(timeoutSeconds * 1000)) }),
    ...(onThisThread ? { interOpThreadPool: -1 } : {}),
    ...(trace ? { traceLevel: traceLevels[trace] } : {}),
  });
  return RunOptions.encode(message).finish();
}
