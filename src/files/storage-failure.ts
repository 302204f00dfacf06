/**
 * Turns an error of the operating system into an error of ours. It is either a fault of the file, or of the storage for
 * now.
 */
import { ServingError } from '../errors.js';

/** Errors that are a fault of the files. Reading the same files again would not help. */
const filesOwn: ReadonlySet<unknown> = new Set(['ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP', 'ENAMETOOLONG']);

/**
 * True for an error of the operating system that may be gone at the next try, for example EIO, EMFILE, EACCES or
 * ESTALE.
 */
export function isStorageFailure(error: unknown): error is NodeJS.ErrnoException {
  return isSystemError(error) && !filesOwn.has(error.code);
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'errno' in error && typeof error.errno === 'number';
}

/**
 * The error for a file that cannot be read.
 *
 * @param what names the file as users know it
 * @param error is what the read failed with
 * @param otherwise makes the error for a fault of the file itself
 * @returns UNAVAILABLE with the code of the system, or what `otherwise` makes
 */
export function readFailure(
  what: string,
  error: NodeJS.ErrnoException,
  otherwise: (code: string) => ServingError,
): ServingError {
  const { code = error.message } = error;
  return isStorageFailure(error) ? storageFailure(what, error) : otherwise(code);
}

/** @returns UNAVAILABLE with the code of the system */
export function storageFailure(what: string, { code }: NodeJS.ErrnoException): ServingError {
  return new ServingError('UNAVAILABLE', `${what} cannot be read now (${code}): ${adviceOn(code)}`);
}

/** Says what to do about a code of the system. */
function adviceOn(code: string | undefined): string {
  return isDenied(code)
    ? `permission denied: let the user that the server runs as${userId()} read it`
    : 'look at the storage';
}

/** True for the codes that stand for missing rights. */
export function isDenied(code: unknown): boolean {
  return code === 'EACCES' || code === 'EPERM';
}

/** The user as ` (uid 1000)`, on systems where users have numbers. */
export function userId(): string {
  const id = process.getuid?.();
  return id === undefined ? '' : ` (uid ${id})`;
}
