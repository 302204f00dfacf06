/**
 * A reason to stop that the user can fix. It is one sentence that says what is missing and how to get it, and it is
 * printed without a stack trace.
 */
export class InstallFailure extends Error {
  /**
   * @param {string} sentence
   * @param {{ exitCode?: number, cause?: unknown }} [options]
   */
  constructor(sentence, { exitCode = 1, cause } = {}) {
    super(sentence, { cause });
    this.name = 'InstallFailure';
    this.exitCode = exitCode;
  }
}

const NO_SPACE = /ENOSPC|No space left on device|Disk quota exceeded/i;
const NO_NETWORK = new RegExp(
  [
    'ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT',
    'name resolution|Name or service not known|nodename nor servname|No address associated with hostname',
    'NewConnectionError|ConnectTimeoutError|ReadTimeoutError|Failed to establish a new connection|ProxyError',
    'Connection refused|Connection reset|Network is unreachable|timed out',
  ].join('|'),
);

export class DiskFull extends InstallFailure {
  /** @param {string} folder */
  constructor(folder) {
    super(
      `The disk with ${folder} is full: free some space and run the same command again, finished steps are kept.`,
    );
  }
}

/**
 * Says why a package manager failed, judged by its output.
 *
 * @param {object} attempt
 * @param {string} attempt.what    what it was to do, e.g. "pip could not download tensorflow-cpu==2.21.0"
 * @param {string} attempt.output  the last part of what it printed
 * @param {string} attempt.log     where all of it is
 * @param {string} attempt.folder  where it was writing
 */
export function explainFailure({ what, output, log, folder }) {
  if (NO_SPACE.test(output)) return new DiskFull(folder);
  if (NO_NETWORK.test(output)) {
    return new InstallFailure(
      `${what}, because the package registry cannot be reached: check the network or the proxy settings and run the ` +
        `same command again (all it printed is in ${log}).`,
    );
  }
  return new InstallFailure(`${what}: all it printed is in ${log}.`);
}

/**
 * Turns errors of the file system that a person can fix into sentences. It returns any other error as it is.
 * @param {unknown} error
 * @param {string} [folder] where it happened: a write to a full disk does not say
 */
export function explainError(error, folder = 'the checkout or the cache') {
  if (!(error instanceof Error) || error instanceof InstallFailure) return error;
  const { code, path } = /** @type {NodeJS.ErrnoException} */ (error);
  if (code === 'ENOSPC' || code === 'EDQUOT') return new DiskFull(path ?? folder);
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new InstallFailure(
      `${path ?? 'A folder'} cannot be written to (${code}): change its owner or its mode, or install as a user who may write there.`,
    );
  }
  return error;
}
