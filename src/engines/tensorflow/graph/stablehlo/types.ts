/**
 * Reads VHLO's types, as far as shapes and whole numbers need them. The codes are those of StableHLO's
 * VhloBytecode.cpp, which are never reused.
 */
import type { Bytecode } from './bytecode.js';
import { Cursor, Malformed } from './cursor.js';

/** The element types that matter here. Any other type is `other`. */
export type Element = 'i1' | 'i32' | 'i64' | 'f16' | 'f32' | 'f64' | 'bf16' | 'i8' | 'i16' | 'other';

export interface TensorType {
  readonly kind: 'tensor';
  /** A dim is null if it is known only with the shapes of the inputs. */
  readonly dims: readonly (number | null)[];
  readonly element: Element;
}

/** `other` stands for a tuple, a token, a function, or a tensor with an unusual rank or bounds. */
export type Type = TensorType | { readonly kind: 'other' };

const codes = { integer32: 13, integer64: 14, ranked: 20 } as const;

const elements: ReadonlyMap<number, Element> = new Map([
  [0, 'i1'],
  [2, 'bf16'],
  [3, 'f16'],
  [4, 'f32'],
  [5, 'f64'],
  [11, 'i8'],
  [12, 'i16'],
  [codes.integer32, 'i32'],
  [codes.integer64, 'i64'],
]);

/** The bytes of an element. */
export const widths: Readonly<Record<Element, number>> = {
  ...{ i1: 1, i8: 1, i16: 2, i32: 4, i64: 8, f16: 2, bf16: 2, f32: 4, f64: 8, other: 0 },
};

const maxRank = 64;

/** @throws Malformed if there is no such type */
export function typeAt({ types }: Bytecode, index: number): Type {
  const entry = types[index];
  if (!entry) throw new Malformed(`expected a type ${index}`);
  if (!entry.isEncoded || entry.dialect !== 'vhlo') return { kind: 'other' };
  const cursor = new Cursor(entry.bytes);
  if (cursor.varint() !== codes.ranked) return { kind: 'other' };
  const dims = cursor.signedVarints().map((dim) => (dim < 0 ? null : dim));
  if (dims.length > maxRank) throw new Malformed(`expected at most ${maxRank} dims, got ${dims.length}`);
  const element = types[cursor.varint()];
  if (!element?.isEncoded || element.dialect !== 'vhlo') return { kind: 'tensor', dims, element: 'other' };
  return { kind: 'tensor', dims, element: elements.get(new Cursor(element.bytes).varint()) ?? 'other' };
}

/** The element type itself, which attributes of whole numbers name. */
export function elementAt({ types }: Bytecode, index: number): Element {
  const entry = types[index];
  if (!entry?.isEncoded || entry.dialect !== 'vhlo') throw new Malformed(`expected an element type ${index}`);
  return elements.get(new Cursor(entry.bytes).varint()) ?? 'other';
}
