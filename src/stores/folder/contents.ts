/**
 * What a folder may hold that makes it a version: a model of a known format, or a handler, which may do without one.
 */
import { type Engines, isOfFormat, type ModelFormat } from '../../engines/engine.js';
import { type HandlerFiles, isHandlerName } from './handler-file.js';

export interface FolderContents {
  /** The first one is meant where no file tells. */
  readonly formats: readonly [ModelFormat, ...ModelFormat[]];
  /** Undefined where handlers are off: then a version may still have one, and cannot serve. */
  readonly handlers: HandlerFiles | undefined;
}

export function contentsOf([first, ...others]: Engines, handlers: HandlerFiles | undefined): FolderContents {
  return { formats: [first.format, ...others.map(({ format }) => format)], handlers };
}

/** The file that makes a folder a model, of each format: `saved_model.pb or linear.json`. */
export function mainFilesOf({ formats }: Pick<FolderContents, 'formats'>): string {
  return formats.map(({ mainFiles }) => mainFiles[0]).join(' or ');
}

/** The first format that one of these names tells of. */
export function formatOf(
  names: readonly string[],
  { formats }: Pick<FolderContents, 'formats'>,
): ModelFormat | undefined {
  return formats.find((format) => isOfFormat(names, format));
}

export function holdsModel(names: readonly string[], contents: Pick<FolderContents, 'formats'>): boolean {
  return formatOf(names, contents) !== undefined || names.some(isHandlerName);
}
