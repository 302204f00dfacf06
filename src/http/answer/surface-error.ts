/**
 * An error in the form of a surface, also where the surface fails to write it.
 */
import { jsonAnswers } from '../../codec/codecs.js';
import { httpStatusOf, ServingError } from '../../errors.js';
import type { Logger } from '../../telemetry/logger.js';
import type { Head } from '../request/head.js';
import type { Surface } from '../surface.js';
import type { ErrorAnswer } from './answer.js';
import { errorValue } from './error-value.js';

/** What is answered in place of a result. Never throws: of a surface that does, the log tells. */
export function surfaceError(surface: Surface, head: Head, error: ServingError, logger: Logger): ErrorAnswer {
  try {
    return surface.errorAnswer(head, error);
  } catch (failure) {
    logger.error(
      { err: failure },
      `the surface \`${surface.name}\` failed to write an error: ${error.message}`,
    );
    const { mediaType } = jsonAnswers;
    const fault = new ServingError(
      'INTERNAL',
      `the surface \`${surface.name}\` failed to write an error: see the log`,
    );
    return {
      status: httpStatusOf.INTERNAL,
      mediaType,
      body: jsonAnswers.encodeValue(errorValue(fault)),
      headers: [],
    };
  }
}
