/** Makes errors from faults of an application's engine. They name the engine, the model and the member. */
import path from 'node:path';
import { messageOf, ServingError } from '../errors.js';
import { isStorageFailure, storageFailure } from '../files/storage-failure.js';
import type { Logger } from '../telemetry/logger.js';

/** A member of the seam that an engine's author writes. */
export type EngineMember = 'read' | 'load' | 'predict' | 'predictHere' | 'whyNotInline' | 'dispose';

export class EngineFaults {
  /**
   * @param engine is its name
   * @param model is that of the model
   */
  constructor(
    private readonly engine: string,
    private readonly model: string,
    private readonly logger: Logger,
  ) {}

  /** The error for a value that the contract does not allow. */
  expected(what: string, got: string): ServingError {
    return new ServingError(
      'INTERNAL',
      `expected the engine \`${this.engine}\` to give ${what} for the model \`${this.model}\`, got ${got}: the engine must be mended`,
    );
  }

  /**
   * The error for what the engine threw. A ServingError is meant for callers. An error of the file system is described
   * in the server's words. The text of any other error goes to the log.
   */
  thrown(member: EngineMember, error: unknown): ServingError {
    if (error instanceof ServingError) return error;
    if (member === 'read' || member === 'load') {
      if (isStorageFailure(error)) return storageFailure('its files', error);
      if (isMissingFile(error))
        return new ServingError('NOT_FOUND', `\`${path.basename(error.path)}\` is missing`);
    }
    return this.logged(member, error);
  }

  /** Logs an error. @returns an error without its text */
  logged(member: EngineMember, error: unknown): ServingError {
    const what = `the engine \`${this.engine}\` failed in \`${member}\` for the model \`${this.model}\``;
    const err = error instanceof Error ? error : new TypeError(`expected an Error, got ${messageOf(error)}`);
    this.logger.error({ err }, what);
    return new ServingError('INTERNAL', `${what}; the log has the details`);
  }
}

function isMissingFile(error: unknown): error is { readonly path: string } {
  if (!(error instanceof Error && 'code' in error && 'path' in error)) return false;
  return error.code === 'ENOENT' && typeof error.path === 'string';
}
