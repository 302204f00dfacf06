/** Writes an error in the form of a surface. If the surface fails to write it, it gets a default form. */
import { jsonAnswers } from '../../codec/codecs.js';
import { httpStatusOf, ServingError } from '../../errors.js';
import type { Logger } from '../../telemetry/logger.js';
import type { Head } from '../request/head.js';
import type { Surface } from '../surface.js';
import type { ErrorAnswer } from './answer.js';
import { errorValue } from './error-value.js';

/** The answer in place of a result. It never throws: if the surface does, the log says so. */
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
