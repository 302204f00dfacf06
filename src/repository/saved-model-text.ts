/**
 * `saved_model.pbtxt`, a SavedModel in protobuf's text format, as `saved_model.pb` would have it.
 */
import protobuf from 'protobufjs';
import textformat from 'protobufjs/ext/textformat.js';
import { ServingError } from '../errors.js';
import { savedModelSchema } from './saved-model-schema.js';

/** What TensorFlow loads where there is no `saved_model.pb`. */
export const savedModelTextFile = 'saved_model.pbtxt';

/** A text takes about a second for each 6 MB, in which the event loop does nothing else. */
const maxBytes = 16 * 2 ** 20;

let savedModelType: protobuf.Type | undefined;

/**
 * The same SavedModel in protobuf's binary format.
 *
 * @throws ServingError DATA_LOSS if it is no whole SavedModel; UNIMPLEMENTED if it is too long
 */
export function savedModelOfText(text: Uint8Array): Uint8Array {
  if (text.length > maxBytes)
    throw new ServingError(
      'UNIMPLEMENTED',
      `${savedModelTextFile} has ${text.length} bytes, more than ${maxBytes}: save it as saved_model.pb`,
    );
  // Most processes never see one.
  savedModelType ??= protobuf.parse(savedModelSchema).root.lookupType('tensorflow.SavedModel');
  try {
    const message = textformat.fromText(savedModelType, Buffer.from(text).toString());
    return savedModelType.encode(message).finish();
  } catch (error) {
    const why = error instanceof Error ? `: ${error.message}` : '';
    throw new ServingError('DATA_LOSS', `${savedModelTextFile} is damaged or not complete${why}`);
  }
}
