/** Reads the config file: JSON, or YAML if its name ends in `.yaml` or `.yml`. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { z } from 'zod';
import { invalidArgument, messageOf } from '../errors.js';
import { parseJsonText } from '../handwritten/json-text.js';

/** The value of a key, and where it stands. */
export interface FileEntry {
  readonly value: unknown;
  /** The file, and of YAML the line. */
  readonly place: string;
}

/**
 * The keys at the top of the file.
 *
 * @throws ServingError INVALID_ARGUMENT naming the file and what is wrong with it, of YAML with the line
 */
export function readConfigFile(file: string): ReadonlyMap<string, FileEntry> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw unreadable(file, messageOf(error));
  }
  return /\.ya?ml$/i.test(file) ? readYaml(file, text) : readJson(file, text);
}

function readJson(file: string, text: string): Map<string, FileEntry> {
  let value: unknown;
  try {
    value = parseJsonText(text);
  } catch (error) {
    throw unreadable(file, messageOf(error));
  }
  const entries = z.record(z.string(), z.unknown()).safeParse(value);
  if (!entries.success) throw invalidArgument(`--config ${file} must be a JSON object of settings`);
  return new Map(Object.entries(entries.data).map(([key, each]) => [key, { value: each, place: file }]));
}

function readYaml(file: string, text: string): Map<string, FileEntry> {
  // The package is loaded only for such a file.
  const yaml = createRequire(import.meta.url)('yaml') as typeof import('yaml');
  const lines = new yaml.LineCounter();
  const document = yaml.parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [fault] = [...document.errors, ...document.warnings];
  if (fault) throw unreadable(`${file}, line ${lines.linePos(fault.pos[0]).line},`, fault.message);
  const { contents } = document;
  if (contents === null || (yaml.isScalar(contents) && contents.value === null)) return new Map();
  if (!yaml.isMap(contents)) throw invalidArgument(`--config ${file} must be a YAML mapping of settings`);
  return new Map(
    contents.items.map(({ key, value }) => {
      const line = yaml.isNode(key) && key.range ? lines.linePos(key.range[0]).line : undefined;
      const place = line === undefined ? file : `${file}, line ${line}`;
      try {
        return [String(key), { value: yaml.isNode(value) ? value.toJS(document) : null, place }];
      } catch (error) {
        // An alias has no anchor, or stands for too much.
        throw unreadable(`${place},`, messageOf(error));
      }
    }),
  );
}

function unreadable(file: string, why: string): Error {
  return invalidArgument(`--config ${file} cannot be read: ${why}`);
}
