/** Recognises what a file is by its first bytes, so that an error can say what came and how to send it. */
import { foreignImage, imageFormatOf } from '../image/header.js';
import { isPickleStart } from '../numpy/pickle.js';

export interface FileKind {
  /** The kind in words, with its article if it has one. */
  readonly what: string;
  /** The media type, if it is an image that is decoded here. */
  readonly mediaType?: string;
}

const others: readonly (readonly [start: string, what: string])[] = [
  ['\x1f\x8b', 'a gzip file'],
  ['PK\x03\x04', 'a zip archive'],
  ['\x93NUMPY', 'a .npy array'],
  ['\x89HDF\r\n', 'an HDF5 file'],
  ['%PDF', 'a PDF file'],
  ['<!doctype html', 'an HTML page'],
  ['<html', 'an HTML page'],
];

/** The kind of a file; undefined if it is none of those known here. */
export function fileKindOf(bytes: Uint8Array): FileKind | undefined {
  const format = imageFormatOf(bytes);
  if (format) return { what: `a ${format.toUpperCase()} image`, mediaType: `image/${format}` };
  const image = foreignImage(bytes);
  if (image !== undefined) return { what: `an image of the format ${image}` };
  if (isPickleStart(bytes)) return { what: 'a Python pickle' };
  const start = String.fromCharCode(...bytes.subarray(0, 32));
  const what = others.find(([signature]) =>
    start.trimStart().toLowerCase().startsWith(signature.toLowerCase()),
  )?.[1];
  return what === undefined ? undefined : { what };
}

/** Describes any file. */
export function describeFile(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'an empty file';
  return fileKindOf(bytes)?.what ?? 'a file of an unknown kind';
}

/** Shows how to send an image as the field of a form. @param name of the input */
export function imageField(name: string, { mediaType = 'image/jpg' }: Pick<FileKind, 'mediaType'>): string {
  return `curl -F '${name}=@photo.${mediaType.slice('image/'.length)}'`;
}

/** Names of files. One comes as a value if the client left out the `@` that sends the content. */
const fileName = /^[^\s{}[\]"]{0,200}\.(jpe?g|png|gif|bmp|webp|tiff?|npy|npz|json|cbor)$/i;

/** True for a text that is the name of a file. */
export function isFileName(text: string): boolean {
  return fileName.test(text.trim());
}
