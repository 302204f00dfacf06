/**
 * Chooses how TensorFlow computes graphs: whether XLA compiles them, and in which precision. It also says which of
 * these this machine cannot do.
 */
import { readFileSync } from 'node:fs';
import type { ComputeMode } from '../inference-model.js';

/** What the settings ask for. */
export interface ComputeOptions {
  readonly xla?: boolean | undefined;
  readonly mixedPrecision?: boolean | undefined;
  readonly gpuMemoryGrowth?: boolean | undefined;
  readonly gpuMemoryFraction?: number | undefined;
  readonly visibleDevices?: string | undefined;
}

/** What this machine does of it, and in words what it does not do and why. */
export interface ComputeChoice {
  readonly mode: ComputeMode;
  readonly warnings: readonly string[];
}

/**
 * @param device is what models run on here
 * @param whyNoBfloat16 says why the processor gains nothing from bfloat16; undefined if it does
 */
export function chooseComputeMode(
  options: ComputeOptions,
  device: 'cpu' | 'gpu',
  whyNoBfloat16: () => string | undefined,
): ComputeChoice {
  const { xla = false, mixedPrecision = false } = options;
  const warnings: string[] = [];
  const whyNot = mixedPrecision && device === 'cpu' ? whyNoBfloat16() : undefined;
  if (whyNot !== undefined)
    warnings.push(`--mixed-precision has no effect: ${whyNot}; models are computed as they are`);
  if (device === 'cpu') {
    const asked = Object.entries({
      '--gpu-memory-growth': options.gpuMemoryGrowth,
      '--gpu-memory-fraction': options.gpuMemoryFraction,
      '--visible-devices': options.visibleDevices,
    }).flatMap(([flag, value]) => (value === undefined || value === false ? [] : [flag]));
    if (asked.length > 0)
      warnings.push(
        `${asked.join(', ')} ${asked.length > 1 ? 'have' : 'has'} no effect: no GPU is used here`,
      );
  }
  const precision = device === 'gpu' ? 'float16' : 'bfloat16';
  return {
    mode: { xla, mixedPrecision: mixedPrecision && whyNot === undefined ? precision : undefined },
    warnings,
  };
}

/** The facts about a processor that matter here. */
export interface Processor {
  readonly platform: string;
  readonly architecture: string;
  /** The content of /proc/cpuinfo on Linux. */
  readonly cpuinfo: string;
  /** TF_ENABLE_ONEDNN_OPTS in the environment. */
  readonly oneDnn: string | undefined;
}

/**
 * Says why a processor gains nothing from bfloat16; undefined if it does. TensorFlow's pass works with oneDNN. On a
 * processor without bfloat16 instructions, oneDNN computes it slower than float32.
 */
export function whyNoBfloat16({ platform, architecture, cpuinfo, oneDnn }: Processor): string | undefined {
  if (platform !== 'linux' || architecture !== 'x64')
    return `on processors TensorFlow does it under Linux on x86-64 only, and this is ${platform} on ${architecture}`;
  if (oneDnn === '0' || oneDnn?.toLowerCase() === 'false')
    return 'TF_ENABLE_ONEDNN_OPTS turns off oneDNN, which would do it';
  const flags = /^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim().split(/\s+/) ?? [];
  if (!flags.includes('avx512_bf16') && !flags.includes('amx_bf16'))
    return 'this processor has neither AVX512_BF16 nor AMX';
  return undefined;
}

/** The processor of this machine. */
export function thisProcessor(): Processor {
  let cpuinfo = '';
  try {
    cpuinfo = readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    // This is not Linux, or the file is hidden. Then nothing is known of the processor.
  }
  return {
    platform: process.platform,
    architecture: process.arch,
    cpuinfo,
    oneDnn: process.env['TF_ENABLE_ONEDNN_OPTS'],
  };
}
