/** Says what makes a folder a version: a model of a known format, or a handler, which may need no model. */
import { type Engines, isOfFormat, type ModelFormat } from '../../engines/engine.js';
import { type HandlerFiles, isHandlerName } from './handler-file.js';

export interface FolderContents {
  /** The formats. The first one is meant if no file tells. */
  readonly formats: readonly [ModelFormat, ...ModelFormat[]];
  /** Finds handlers; undefined if handlers are off. A version that has one cannot serve then. */
  readonly handlers: HandlerFiles | undefined;
}

export function contentsOf([first, ...others]: Engines, handlers: HandlerFiles | undefined): FolderContents {
  return { formats: [first.format, ...others.map(({ format }) => format)], handlers };
}

/** The main file of each format: `saved_model.pb or linear.json`. */
export function mainFilesOf({ formats }: Pick<FolderContents, 'formats'>): string {
  return formats.map(({ mainFiles }) => mainFiles[0]).join(' or ');
}

/** The first format that has one of these names as its main file. */
export function formatOf(
  names: readonly string[],
  { formats }: Pick<FolderContents, 'formats'>,
): ModelFormat | undefined {
  return formats.find((format) => isOfFormat(names, format));
}

export function holdsModel(names: readonly string[], contents: Pick<FolderContents, 'formats'>): boolean {
  return formatOf(names, contents) !== undefined || names.some(isHandlerName);
}
