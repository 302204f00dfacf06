/**
 * Reads the fields of the protocol's JSON objects. A field of a wrong type is refused, and an unknown field is ignored,
 * since other servers may know it.
 */
import type { Json } from '../../codec/json/reader.js';
import { invalidArgument } from '../../errors.js';
import { bounds } from '../../tensors/limits.js';
import { isList } from '../../tensors/long-list.js';
import { LongText } from '../../tensors/long-text.js';

export type Fields = ReadonlyMap<string, Json>;

const none: Fields = new Map();

/** @throws ServingError INVALID_ARGUMENT if the field is missing, no text, or too long */
export function nameField(what: string, fields: Fields, key: string): string {
  const name = textField(what, fields, key);
  if (name === undefined) throw invalidArgument(`${what} has no \`${key}\``);
  return name;
}

/**
 * Reads a text; undefined if it is missing or null.
 * @throws ServingError INVALID_ARGUMENT if it is no text or too long
 */
export function textField(what: string, fields: Fields, key: string): string | undefined {
  const value = fields.get(key);
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string' && !(value instanceof LongText))
    throw invalidArgument(`\`${key}\` of ${what} must be a text`);
  const bytes = typeof value === 'string' ? Buffer.byteLength(value) : value.bytes.length;
  const { most } = bounds.nameBytes;
  if (typeof value !== 'string' || bytes > most)
    throw invalidArgument(`\`${key}\` of ${what} has ${bytes} bytes, and at most ${most} are taken`);
  return value;
}

export function booleanField(what: string, fields: Fields, key: string): boolean | undefined {
  const value = fields.get(key);
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'boolean') throw invalidArgument(`\`${key}\` of ${what} must be true or false`);
  return value;
}

/** Reads a whole number from 0 on. */
export function sizeField(what: string, fields: Fields, key: string): number | undefined {
  const value = fields.get(key);
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw invalidArgument(`\`${key}\` of ${what} must be a whole number, 0 or more`);
  return value;
}

/** The `parameters` of an object; empty if it has none. */
export function parametersOf(what: string, fields: Fields): Fields {
  const value = fields.get('parameters');
  if (value === undefined || value === null) return none;
  if (!(value instanceof Map)) throw invalidArgument(`\`parameters\` of ${what} must be an object`);
  return value;
}

/**
 * Reads a list of objects.
 *
 * @param form describes one of them, for people
 */
export function objectsField(fields: Fields, key: string, form: string): readonly Fields[] | undefined {
  const value = fields.get(key);
  if (value === undefined || value === null) return undefined;
  // A longer list also holds other values, because the reader counts objects.
  if (isList(value) && value.length <= bounds.objects.most) {
    const objects = [...value].filter((each) => each instanceof Map);
    if (objects.length === value.length) return objects;
  }
  throw invalidArgument(`\`${key}\` must be a list of objects, each ${form}`);
}
