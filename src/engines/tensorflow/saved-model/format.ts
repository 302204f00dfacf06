/**
 * How a folder is known to hold a SavedModel.
 */
import type { ModelFormat } from '../../engine.js';
import { savedModelFile } from './read.js';
import { savedModelTextFile } from './text-form.js';

export const savedModelFormat: ModelFormat = {
  name: 'SavedModel',
  mainFiles: [savedModelFile, savedModelTextFile],
  // They hold checksums, or are what the model does.
  tellingFiles: [savedModelFile, savedModelTextFile, 'fingerprint.pb', 'variables/variables.index'],
};
