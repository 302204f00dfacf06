/** Says which files make a folder a SavedModel. */
import type { ModelFormat } from '../../engine.js';
import { savedModelFile } from './read.js';
import { savedModelTextFile } from './text-form.js';

export const savedModelFormat: ModelFormat = {
  name: 'SavedModel',
  mainFiles: [savedModelFile, savedModelTextFile],
  // These files hold checksums, or say what the model does.
  tellingFiles: [savedModelFile, savedModelTextFile, 'fingerprint.pb', 'variables/variables.index'],
};
