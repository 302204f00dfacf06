/** Which of the engine's options a machine can satisfy, and the words for those that it cannot. */
import { describe, expect, it } from 'vitest';
import { chooseComputeMode, whyNoBfloat16 } from '../../../src/engines/tensorflow/compute-mode.ts';

const linux = { platform: 'linux', architecture: 'x64', oneDnn: undefined };
const flags = (...names: string[]) => `processor\t: 0\nflags\t\t: fpu ${names.join(' ')} sse2\nbugs\t\t:\n`;

describe('bfloat16 on a processor', () => {
  it.each([
    ['avx512_bf16', undefined],
    ['amx_bf16', undefined],
    ['avx512f', 'this processor has neither AVX512_BF16 nor AMX'],
    // Not another flag that begins so.
    ['avx512_bf16x', 'this processor has neither AVX512_BF16 nor AMX'],
  ])('with %s: %s', (flag, why) => {
    expect(whyNoBfloat16({ ...linux, cpuinfo: flags(flag) })).toBe(why);
  });

  it('is not to be had without oneDNN, elsewhere than on x86-64, or where nothing is known', () => {
    const cpuinfo = flags('avx512_bf16');
    expect(whyNoBfloat16({ ...linux, cpuinfo, oneDnn: '0' })).toMatch(/^TF_ENABLE_ONEDNN_OPTS turns off/);
    expect(whyNoBfloat16({ ...linux, cpuinfo, oneDnn: '1' })).toBeUndefined();
    expect(whyNoBfloat16({ ...linux, platform: 'darwin', architecture: 'arm64', cpuinfo: '' })).toMatch(
      /this is darwin on arm64$/,
    );
    expect(whyNoBfloat16({ ...linux, cpuinfo: '' })).toMatch(/neither AVX512_BF16 nor AMX/);
  });
});

describe('the engine', () => {
  const no = () => 'it cannot';
  const yes = () => undefined;

  it('computes in float16 on a GPU, whatever the processor can', () => {
    const { mode, warnings } = chooseComputeMode({ mixedPrecision: true }, 'gpu', no);
    expect([mode, warnings]).toEqual([{ xla: false, mixedPrecision: 'float16' }, []]);
  });

  it('in bfloat16 on a processor that can, else as the model is, with a warning', () => {
    expect(chooseComputeMode({ mixedPrecision: true, xla: true }, 'cpu', yes)).toEqual({
      mode: { xla: true, mixedPrecision: 'bfloat16' },
      warnings: [],
    });
    expect(chooseComputeMode({ mixedPrecision: true }, 'cpu', no)).toEqual({
      mode: { xla: false, mixedPrecision: undefined },
      warnings: ['--mixed-precision has no effect: it cannot; models are computed as they are'],
    });
  });

  it('has no use for options of GPUs where there is none', () => {
    const asked = { gpuMemoryGrowth: true, gpuMemoryFraction: 0.5, visibleDevices: '0' };
    expect(chooseComputeMode(asked, 'gpu', yes).warnings).toEqual([]);
    expect(chooseComputeMode(asked, 'cpu', yes).warnings).toEqual([
      '--gpu-memory-growth, --gpu-memory-fraction, --visible-devices have no effect: no GPU is used here',
    ]);
    expect(chooseComputeMode({ gpuMemoryGrowth: false }, 'cpu', yes).warnings).toEqual([]);
  });
});
