/**
 * What the operating system says when a file cannot be read: a fault of the files, or of the storage for now.
 */
import { ServingError } from '../errors.js';

/** The files themselves are not as they must be: no later look at the same files finds them better. */
const filesOwn: ReadonlySet<unknown> = new Set(['ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP', 'ENAMETOOLONG']);

/** True for an error of the operating system that may be gone at the next try: EIO, EMFILE, EACCES, ESTALE and the like. */
export function isStorageFailure(error: unknown): error is NodeJS.ErrnoException {
  return isSystemError(error) && !filesOwn.has(error.code);
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'errno' in error && typeof error.errno === 'number';
}

/**
 * What is thrown when a file cannot be read.
 *
 * @param what the file, as users know it
 * @param error what the read failed with
 * @param otherwise makes the error if it is the files' own fault
 * @returns UNAVAILABLE with the system's code, or what `otherwise` makes
 */
export function readFailure(
  what: string,
  error: NodeJS.ErrnoException,
  otherwise: (code: string) => ServingError,
): ServingError {
  const { code = error.message } = error;
  return isStorageFailure(error) ? storageFailure(what, error) : otherwise(code);
}

/** @returns UNAVAILABLE with the system's code */
export function storageFailure(what: string, { code }: NodeJS.ErrnoException): ServingError {
  return new ServingError('UNAVAILABLE', `${what} cannot be read now (${code}): ${adviceOn(code)}`);
}

/** What to do about a system's code. */
function adviceOn(code: string | undefined): string {
  return isDenied(code)
    ? `permission denied: let the user that the server runs as${userId()} read it`
    : 'look at the storage';
}

/** True for the codes of missing rights. */
export function isDenied(code: unknown): boolean {
  return code === 'EACCES' || code === 'EPERM';
}

/** ` (uid 1000)`, where users have numbers. */
export function userId(): string {
  const id = process.getuid?.();
  return id === undefined ? '' : ` (uid ${id})`;
}
