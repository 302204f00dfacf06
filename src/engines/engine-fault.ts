/**
 * What an application's engine does wrong with a model, as errors that name the engine, the model and the member.
 */
import path from 'node:path';
import { messageOf, ServingError } from '../errors.js';
import { isStorageFailure, storageFailure } from '../files/storage-failure.js';
import type { Logger } from '../telemetry/logger.js';

/** A member of the seam that an engine's author writes. */
export type EngineMember = 'read' | 'load' | 'predict' | 'predictHere' | 'whyNotInline' | 'dispose';

export class EngineFaults {
  /**
   * @param engine its name
   * @param model the model's
   */
  constructor(
    private readonly engine: string,
    private readonly model: string,
    private readonly logger: Logger,
  ) {}

  /** The engine gave something else than the seam asks for. */
  expected(what: string, got: string): ServingError {
    return new ServingError(
      'INTERNAL',
      `expected the engine \`${this.engine}\` to give ${what} for the model \`${this.model}\`, got ${got}: the engine must be mended`,
    );
  }

  /**
   * What the engine threw, as callers may see it. A ServingError was meant for them. What the system says of files is told in the
   * server's words. The text of anything else is for the log.
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

  /** @returns what is said of it, without its text */
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
