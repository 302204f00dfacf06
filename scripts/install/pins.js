/**
 * What the install step takes from PyPI, pinned: one ABI and one platform tag per operating system and architecture,
 * so that any pip fetches the same file whatever Python runs it, and a SHA-256 for each file.
 *
 * The Python tag is of no consequence (no Python code is run): cp311 is the one the sums were taken from.
 * The NVIDIA wheels are those that `tensorflow[and-cuda]` 2.21.0 resolves to, CUDA 12.9 and cuDNN 9.
 *
 * @typedef {object} Wheel
 * @property {string} requirement   what pip is asked for
 * @property {string} file          the file pip answers with
 * @property {string} platform      pip's platform tag
 * @property {string} sha256
 * @property {number} bytes         size of the wheel
 * @property {number} unpackedBytes size of what is taken out of it
 *
 * @typedef {object} LibtensorflowPin
 * @property {string} name          `<os>-<arch>-<device>`, as in the name of the cache folder
 * @property {Wheel[]} wheels
 */

export const TENSORFLOW_VERSION = '2.21.0';

/** The Python version of the wheels, in a form that the oldest pip understands too. */
export const PYTHON_TAG = '311';

/** The oldest glibc that the wheels run on (their manylinux_2_27 tag). */
export const GLIBC_VERSION = '2.27';

/** @type {Wheel} */
const linuxX64 = {
  requirement: 'tensorflow-cpu==2.21.0',
  file: 'tensorflow_cpu-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl',
  platform: 'manylinux_2_27_x86_64',
  sha256: '2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c',
  bytes: 273829956,
  unpackedBytes: 853_000_000,
};

/** @type {Wheel} */
const linuxX64Cuda = {
  requirement: 'tensorflow==2.21.0',
  file: 'tensorflow-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl',
  platform: 'manylinux_2_27_x86_64',
  sha256: '9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124',
  bytes: 572440367,
  unpackedBytes: 1_259_000_000,
};

/** @type {Wheel} */
const linuxArm64 = {
  requirement: 'tensorflow==2.21.0',
  file: 'tensorflow-2.21.0-cp311-cp311-manylinux_2_27_aarch64.whl',
  platform: 'manylinux_2_27_aarch64',
  sha256: '4b24aca16d527a3cf1c37f720c04c484c3d20f4d0fdfa98632ac8b9f3be6eb5c',
  bytes: 281828020,
  unpackedBytes: 883_000_000,
};

/** @type {Wheel} */
const macArm64 = {
  requirement: 'tensorflow==2.21.0',
  file: 'tensorflow-2.21.0-cp311-cp311-macosx_12_0_arm64.whl',
  platform: 'macosx_12_0_arm64',
  sha256: '51f46f4806139d01fc7920cc72a4c75876f80649bf40ff083ab6212ceb43ca88',
  bytes: 223405849,
  unpackedBytes: 741_000_000,
};

/** @type {Wheel[]} */
const nvidia = [
  {
    requirement: 'nvidia-cublas-cu12==12.9.3.13',
    file: 'nvidia_cublas_cu12-12.9.3.13-py3-none-manylinux_2_27_x86_64.whl',
    platform: 'manylinux_2_27_x86_64',
    sha256: 'd7d51055f161b317c7105ddaae90e71eda059026074ffef93cf7cde2886bfe72',
    bytes: 581217458,
    unpackedBytes: 855064416,
  },
  {
    requirement: 'nvidia-cuda-cupti-cu12==12.9.79',
    file: 'nvidia_cuda_cupti_cu12-12.9.79-py3-none-manylinux_2_25_x86_64.whl',
    platform: 'manylinux_2_25_x86_64',
    sha256: '096bcf334f13e1984ba36685ad4c1d6347db214de03dbb6eebb237b41d9d934f',
    bytes: 10814997,
    unpackedBytes: 43365768,
  },
  {
    requirement: 'nvidia-cuda-nvcc-cu12==12.9.86',
    file: 'nvidia_cuda_nvcc_cu12-12.9.86-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl',
    platform: 'manylinux2010_x86_64',
    sha256: '5d6a0d32fdc7ea39917c20065614ae93add6f577d840233237ff08e9a38f58f0',
    bytes: 40546229,
    unpackedBytes: 98010465,
  },
  {
    requirement: 'nvidia-cuda-nvrtc-cu12==12.9.86',
    file: 'nvidia_cuda_nvrtc_cu12-12.9.86-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl',
    platform: 'manylinux2010_x86_64',
    sha256: '210cf05005a447e29214e9ce50851e83fc5f4358df8b453155d5e1918094dcb4',
    bytes: 89568129,
    unpackedBytes: 227340992,
  },
  {
    requirement: 'nvidia-cuda-runtime-cu12==12.9.79',
    file: 'nvidia_cuda_runtime_cu12-12.9.79-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl',
    platform: 'manylinux2014_x86_64',
    sha256: '25bba2dfb01d48a9b59ca474a1ac43c6ebf7011f1b0b8cc44f54eb6ac48a96c3',
    bytes: 3493179,
    unpackedBytes: 5342176,
  },
  {
    requirement: 'nvidia-cudnn-cu12==9.28.0.42',
    file: 'nvidia_cudnn_cu12-9.28.0.42-py3-none-manylinux_2_27_x86_64.whl',
    platform: 'manylinux_2_27_x86_64',
    sha256: '9ff58b7f36dacd0a93e89f8f2957b52466889217963701daa15e577317cfa375',
    bytes: 716538495,
    unpackedBytes: 1162393472,
  },
  {
    requirement: 'nvidia-cufft-cu12==11.4.1.4',
    file: 'nvidia_cufft_cu12-11.4.1.4-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl',
    platform: 'manylinux2014_x86_64',
    sha256: 'c67884f2a7d276b4b80eb56a79322a95df592ae5e765cf1243693365ccab4e28',
    bytes: 200877592,
    unpackedBytes: 293609416,
  },
  {
    requirement: 'nvidia-curand-cu12==10.3.10.19',
    file: 'nvidia_curand_cu12-10.3.10.19-py3-none-manylinux_2_27_x86_64.whl',
    platform: 'manylinux_2_27_x86_64',
    sha256: '49b274db4780d421bd2ccd362e1415c13887c53c214f0d4b761752b8f9f6aa1e',
    bytes: 68295626,
    unpackedBytes: 166965432,
  },
  {
    requirement: 'nvidia-cusolver-cu12==11.7.5.82',
    file: 'nvidia_cusolver_cu12-11.7.5.82-py3-none-manylinux_2_27_x86_64.whl',
    platform: 'manylinux_2_27_x86_64',
    sha256: '15da72d1340d29b5b3cf3fd100e3cd53421dde36002eda6ed93811af63c40d88',
    bytes: 338117415,
    unpackedBytes: 494975064,
  },
  {
    requirement: 'nvidia-cusparse-cu12==12.5.10.65',
    file: 'nvidia_cusparse_cu12-12.5.10.65-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl',
    platform: 'manylinux2014_x86_64',
    sha256: '73060ce019ac064a057267c585bf1fd5a353734151f87472ff02b2c5c9984e78',
    bytes: 366465088,
    unpackedBytes: 486556368,
  },
  {
    requirement: 'nvidia-nccl-cu12==2.32.3',
    file: 'nvidia_nccl_cu12-2.32.3-py3-none-manylinux_2_27_x86_64.whl',
    platform: 'manylinux_2_27_x86_64',
    sha256: 'bb94b2348e4861d5e8aa00b36c3d12d9bdf9c6369b82cbb723de0b582280a21c',
    bytes: 351526311,
    unpackedBytes: 489653380,
  },
  {
    requirement: 'nvidia-nvjitlink-cu12==12.9.86',
    file: 'nvidia_nvjitlink_cu12-12.9.86-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl',
    platform: 'manylinux2010_x86_64',
    sha256: 'e3f1171dbdc83c5932a45f0f4c99180a70de9bd2718c1ab77d14104f6d7147f9',
    bytes: 39748338,
    unpackedBytes: 95935344,
  },
];

/**
 * One row per machine and device that the install step supports.
 * @type {readonly LibtensorflowPin[]}
 */
export const LIBTENSORFLOW = [
  { name: 'linux-x64-cpu', wheels: [linuxX64] },
  { name: 'linux-x64-gpu', wheels: [linuxX64Cuda, ...nvidia] },
  { name: 'linux-arm64-cpu', wheels: [linuxArm64] },
  { name: 'darwin-arm64-cpu', wheels: [macArm64] },
];
