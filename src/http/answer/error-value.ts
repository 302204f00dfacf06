/** The default form of an answer in place of a result, if the protocol has no other. */
import { z } from 'zod';
import { errorCodes, type ServingError } from '../../errors.js';

export const errorCodeSchema = z
  .enum(errorCodes)
  .meta({ id: 'ErrorCode', description: 'What went wrong, in one word that programs can branch on.' });

export const errorSchema = z
  .object({
    status: z.literal('error'),
    error: z.object({
      code: errorCodeSchema,
      message: z.string().describe('for people: what was expected, what came, and what to do'),
      example: z.string().optional().describe('a line of shell that would have been taken'),
    }),
  })
  .meta({ id: 'Error' });

/** @param example is a line of shell that works */
export function errorValue(
  { code, message }: Pick<ServingError, 'code' | 'message'>,
  example?: string,
): z.output<typeof errorSchema> {
  return { status: 'error', error: { code, message, ...(example === undefined ? {} : { example }) } };
}
