/** A body that fits a template says the same as the body before it. Any other body is read. */
import { expect, it } from 'vitest';
import { decodeInferRequest } from '../../src/codec/cbor/decode.ts';
import { CborRequestTemplates } from '../../src/codec/cbor/request-templates.ts';
import { array, bytes, described, hex, ints, joined, list, map, tag, text } from '../fixtures/cbor.ts';
import { limits } from '../fixtures/codec.ts';

const read = (body: Uint8Array) => decodeInferRequest(body, { ...limits });

/** Bytes for x, for y, and whatever stands between. */
const bodies: Readonly<Record<string, (x: Uint8Array, y: Uint8Array) => Uint8Array>> = {
  'typed arrays': (x, y) => map({ x: array([2, 2], 85, x), y: tag(64, bytes(y)) }),
  'an envelope': (x, y) =>
    map({
      signature: text('s'),
      inputs: map({ x: tag(85, bytes(x)), y: array([3], 64, y) }),
      outputs: list(text('a'), text('b')),
    }),
  'described tensors': (x, y) =>
    map({ x: described('complex64', [2], bytes(x)), y: described('bool', [3], bytes(y)) }),
};

const some = (length: number, seed: number) => Uint8Array.from({ length }, (_, i) => (i * 37 + seed) % 256);

it.each(Object.keys(bodies))('%s with other values are taken by their place', (form) => {
  const make = bodies[form] as (typeof bodies)[string];
  const templates = new CborRequestTemplates();
  const first = make(some(16, 1), some(3, 2));
  expect(templates.match(first)).toBeUndefined();
  templates.keep(first, read(first));
  for (const seed of [1, 50, 99]) {
    const body = make(some(16, seed), some(3, seed + 1));
    expect(templates.match(body)).toEqual(read(body));
  }
});

it('they are views on the body, not copies', () => {
  const templates = new CborRequestTemplates();
  const make = bodies['typed arrays'] as (typeof bodies)[string];
  const first = make(some(16, 1), some(3, 2));
  templates.keep(first, read(first));
  const padded = joined(hex('00 00'), make(some(16, 7), some(3, 8)));
  const body = padded.subarray(2);
  const x = templates.match(body)?.inputs.get('x');
  padded.fill(9, padded.length - 3);
  const y = templates.match(body)?.inputs.get('y');
  expect([x, y]).toMatchObject([{ data: some(16, 7) }, { data: Uint8Array.of(9, 9, 9) }]);
});

it('a byte that differs anywhere but in the values makes it another', () => {
  for (const make of Object.values(bodies)) {
    const templates = new CborRequestTemplates();
    const first = make(some(16, 0), some(3, 0));
    templates.keep(first, read(first));
    // Where two bodies differ in all of their values, they agree in all else.
    const other = make(some(16, 128), some(3, 128));
    let heads = 0;
    for (const [i, byte] of first.entries()) {
      const isHead = byte === other[i];
      const changed = Uint8Array.from(first);
      changed[i] = byte ^ 1;
      expect(templates.match(changed) === undefined, `byte ${i}`).toBe(isHead);
      if (isHead) heads += 1;
    }
    expect(heads).toBe(first.length - 19);
    expect(templates.match(first.subarray(1))).toBeUndefined();
    expect(templates.match(joined(first, hex('00')))).toBeUndefined();
  }
});

it.each([
  ['plain values', map({ x: list(ints(1, 2)), y: ints(3) })],
  ['strings', map({ x: described('string', [1], list(text('a'))) })],
  ['big-endian values', map({ x: tag(81, bytes(some(8, 1))) })],
  ['columns first', map({ x: tag(1040, list(ints(2, 2), tag(85, bytes(some(16, 1))))) })],
  ['long names', map({ [`x${'y'.repeat(600)}`]: tag(85, bytes(some(8, 1))) })],
])('%s are read each time', (_, body) => {
  const templates = new CborRequestTemplates();
  templates.keep(body, read(body));
  expect(templates.match(body)).toBeUndefined();
});

it('forgets the oldest of many', () => {
  const templates = new CborRequestTemplates();
  const made = Array.from({ length: 100 }, (_, i) => map({ x: tag(64, bytes(some(i, i))) }));
  for (const body of made) templates.keep(body, read(body));
  const kept = made.filter((body) => templates.match(body) !== undefined);
  expect(kept).toEqual(made.slice(-64));
});
