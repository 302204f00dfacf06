/**
 * `serving.json`, what lasts in the folder itself. In the repository's own folder it names the default model.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { messageOf, ServingError } from '../errors.js';

const schema = z.strictObject({
  /** The model that `/infer` means. */
  default_model: z.string().min(1).optional(),
});

export interface RepositoryConfig {
  readonly defaultModel?: string | undefined;
}

/**
 * @param root the repository's folder
 * @throws ServingError FAILED_PRECONDITION if the file is there but wrong
 */
export async function readRepositoryConfig(root: string): Promise<RepositoryConfig> {
  const file = path.join(root, 'serving.json');
  try {
    const text = await readFile(file, 'utf8');
    const { default_model: defaultModel } = schema.parse(JSON.parse(text));
    return { defaultModel };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {};
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error);
    throw new ServingError('FAILED_PRECONDITION', `serving.json cannot be used: ${reason}`);
  }
}
