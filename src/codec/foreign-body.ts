/** Recognises bodies that are something else than their media type says, and tells how to send them. */
import { invalidArgument } from '../errors.js';
import { fileKindOf, imageField, isFileName } from './form/file-kind.js';
import { isPickle, isPickleStart, pickleAdvice } from './numpy/pickle.js';

/**
 * Says what to do about a body of another kind than expected.
 *
 * @param body is all of the body, or its beginning
 * @param name of an input, for the example
 * @returns undefined if the bytes do not tell what they are
 */
export function adviceOnBody(body: Uint8Array, name: string): string | undefined {
  if (isPickleStart(body)) return pickleAdvice;
  const text = Buffer.from(body.subarray(0, 256)).toString('latin1').trim();
  if (body.length <= 256 && isFileName(text))
    return `the body is the name of a file, not its contents: did you mean ${lineFor(text, name)}?`;
  const kind = fileKindOf(body);
  if (!kind) return undefined;
  const came = `the body is ${kind.what}`;
  if (kind.mediaType !== undefined)
    return `${came}: send it with -H 'content-type: ${kind.mediaType}', or as a form, ${imageField(name, kind)}`;
  switch (kind.what) {
    case 'a gzip file':
      return `${came}: for a compressed body add -H 'content-encoding: gzip'`;
    case 'a zip archive':
      return `${came}: send a .npz file with -H 'content-type: application/x-npz'`;
    case 'a .npy array':
      return `${came}: send it with -H 'content-type: application/x-npy'`;
    default:
      return `${came}: expected JSON, CBOR, .npy, .npz, or an image (JPEG, PNG, GIF or BMP)`;
  }
}

function lineFor(file: string, name: string): string {
  if (/\.json$/i.test(file)) return `-d @${file}`;
  const type = /\.(npy|npz|cbor)$/i.exec(file)?.[1]?.toLowerCase();
  if (type === undefined) return `-F '${name}=@${file}'`;
  return `-H 'content-type: application/${type === 'cbor' ? type : `x-${type}`}' --data-binary @${file}`;
}

/**
 * Refuses a body that begins like neither JSON nor CBOR.
 *
 * @throws ServingError INVALID_ARGUMENT
 */
export function refuseForeignBody(body: Uint8Array): void {
  // As CBOR a pickle begins with an empty list, while a request is a map.
  if (body[0] === 0x80 && !isPickle(body)) return;
  const first = body[0] ?? 0;
  // The first byte is that of a CBOR map, or of a JSON object.
  if ((first >= 0xa0 && first <= 0xbf) || first === 0x7b) return;
  const advice = adviceOnBody(body, 'NAME');
  if (advice !== undefined) throw invalidArgument(advice);
}
