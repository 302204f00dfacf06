import fs from 'node:fs';
import path from 'node:path';

import { run } from './command.js';
import { filesBelow, sha256OfFile } from './digest.js';
import { explainFailure, InstallFailure } from './failure.js';
import { PYTHON_TAG } from './pins.js';
import { megabytes } from './progress.js';

const POLL_MS = 500;

/**
 * Fetches a wheel with pip and checks its checksum before it gets its name. So a wheel with that name is good.
 *
 * @param {import('./pins.js').Wheel} wheel
 * @param {string} folder
 * @param {string} step whose progress it is
 * @param {import('./context.js').Context} context
 * @returns {Promise<string>} the file
 */
export async function download(wheel, folder, step, context) {
  const { progress, signal } = context;
  const target = path.join(folder, wheel.file);
  if (fs.existsSync(target)) return target;

  await checkPip(context);
  fs.mkdirSync(folder, { recursive: true });
  const temporary = fs.mkdtempSync(`${target}.tmp-`);
  try {
    progress.say(step, `downloading ${wheel.requirement} (${megabytes(wheel.bytes)})`);
    await pipDownload(wheel, temporary, step, context);
    const downloaded = path.join(temporary, wheel.file);
    await checkSum(wheel, downloaded, signal);
    fs.renameSync(downloaded, target);
    return target;
  } finally {
    fs.rmSync(temporary, { recursive: true, force: true });
  }
}

/** @param {import('./context.js').Context} context */
async function checkPip({ host, signal }) {
  const { code } = await run('python3', ['-m', 'pip', '--version'], { env: host.env, signal });
  if (code === 0) return;
  throw new InstallFailure(
    code === null
      ? 'There is no python3, whose pip fetches TensorFlow: install Python 3 with pip (Debian, Ubuntu: apt-get ' +
          'install python3-pip; Fedora: dnf install python3-pip; macOS: brew install python).'
      : 'python3 has no pip, which fetches TensorFlow: install it (Debian, Ubuntu: apt-get install python3-pip; ' +
          'Fedora: dnf install python3-pip; elsewhere: python3 -m ensurepip).',
  );
}

/**
 * @param {import('./pins.js').Wheel} wheel
 * @param {string} folder
 * @param {string} step
 * @param {import('./context.js').Context} context
 */
async function pipDownload(wheel, folder, step, { host, layout, progress, signal }) {
  const log = path.join(layout.logs, 'pip.log');
  const args = [
    '-m',
    'pip',
    'download',
    '--no-deps',
    '--only-binary=:all:',
    '--no-cache-dir',
    '--disable-pip-version-check',
  ];
  args.push('--python-version', PYTHON_TAG, '--implementation', 'cp', '--abi', `cp${PYTHON_TAG}`);
  args.push('--platform', wheel.platform, '--dest', folder, wheel.requirement);

  // pip shows no progress without a terminal. But it downloads into TMPDIR, where the growing file can be seen. That
  // also keeps the system's folder for temporary files free, which may be small.
  const env = { ...host.env, TMPDIR: folder, PIP_REQUIRE_VIRTUALENV: 'false' };
  const report = progress.tenths(step, 'downloaded', wheel.bytes);
  const poll = setInterval(() => report(largestFile(folder)), POLL_MS);
  try {
    const { code, output } = await run('python3', args, { env, signal, log });
    if (code !== 0) {
      throw explainFailure({ what: `pip could not download ${wheel.requirement}`, output, log, folder });
    }
  } finally {
    clearInterval(poll);
  }
}

/** @param {string} folder */
function largestFile(folder) {
  try {
    return Math.max(0, ...filesBelow(folder, ['']).map((file) => fs.statSync(path.join(folder, file)).size));
  } catch {
    return 0; // pip moved a file while we looked
  }
}

/**
 * @param {import('./pins.js').Wheel} wheel
 * @param {string} file
 * @param {AbortSignal} signal
 */
async function checkSum(wheel, file, signal) {
  if (!fs.existsSync(file)) {
    throw new InstallFailure(
      `pip answered with another file than ${wheel.file}: check which index pip is configured for.`,
    );
  }
  const sha256 = await sha256OfFile(file, signal);
  if (sha256 === wheel.sha256) return;
  throw new InstallFailure(
    `${wheel.file} came with SHA-256 ${sha256} instead of ${wheel.sha256}, so it was damaged or exchanged on the ` +
      'way: it was thrown away; check which index pip is configured for and try again.',
  );
}
