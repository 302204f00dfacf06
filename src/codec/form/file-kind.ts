/**
 * What a file is, by its first bytes, so that a refusal can say what came and how it is sent.
 */
import { foreignImage, imageFormatOf } from '../image/header.js';
import { isPickleStart } from '../numpy/pickle.js';

export interface FileKind {
  /** With its article, where it has one. */
  readonly what: string;
  /** Of an image that is decoded here. */
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

/** undefined for bytes that are none of the kinds that are known here. */
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

/** What a file is, for every file. */
export function describeFile(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'an empty file';
  return fileKindOf(bytes)?.what ?? 'a file of an unknown kind';
}

/** How an image is sent as the field of a form. @param name of the input */
export function imageField(name: string, { mediaType = 'image/jpg' }: Pick<FileKind, 'mediaType'>): string {
  return `curl -F '${name}=@photo.${mediaType.slice('image/'.length)}'`;
}

/** Names of files, as they come where the sign for their contents was forgotten. */
const fileName = /^[^\s{}[\]"]{0,200}\.(jpe?g|png|gif|bmp|webp|tiff?|npy|npz|json|cbor)$/i;

/** True for a text that is the name of a file, and is taken for its contents. */
export function isFileName(text: string): boolean {
  return fileName.test(text.trim());
}
