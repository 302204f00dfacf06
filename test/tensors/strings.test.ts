/** Strings, few or packed, have the same elements, whatever is done with them. */
import { describe, expect, it } from 'vitest';
import { toEnd } from '../../src/flow/steps.ts';
import {
  copyStrings,
  feedOf,
  fewStrings,
  joinStrings,
  measureStrings,
  PackedStrings,
  StringGatherer,
  type Strings,
} from '../../src/tensors/strings.ts';

const texts = (strings: Strings) => Array.from(strings, (string) => Buffer.from(string).toString());
const many = (count: number, from = 0) => Array.from({ length: count }, (_, i) => 'ü'.repeat((from + i) % 5));

function gathered(from: readonly string[], claim = (_bytes: number) => {}): Strings {
  const strings = new StringGatherer(from.length, claim);
  // Some as texts, some as bytes.
  for (const [i, text] of from.entries()) {
    if (i % 2 === 0) strings.addText(text);
    else strings.add(Buffer.from(text));
  }
  expect(strings.length).toBe(from.length);
  return toEnd(strings.finish());
}

describe.each([0, 1, fewStrings, fewStrings + 1, 5000])('%i strings', (count) => {
  const want = many(count);
  const strings = gathered(want);

  it('are packed if they are many', () => {
    expect(strings instanceof PackedStrings).toBe(count > fewStrings);
    expect(strings).toHaveLength(count);
    expect(texts(strings)).toEqual(want);
    expect(strings.at(count)).toBeUndefined();
    if (count > 0) expect(Buffer.from(strings.at(count - 1) as Uint8Array).toString()).toBe(want.at(-1));
  });

  it('are measured', () => {
    const lengths = want.map((text) => Buffer.byteLength(text));
    const bytes = lengths.reduce((sum, length) => sum + length, 0);
    expect(measureStrings(strings)).toEqual({
      bytes,
      longest: Math.max(0, ...lengths),
      endsWithZero: false,
    });
  });

  it('are cut, and the parts are fed, copied and joined', () => {
    const [from, to] = [Math.floor(count / 3), Math.floor(count / 2)];
    const part = strings.slice(from, to);
    expect(texts(part)).toEqual(want.slice(from, to));
    expect(texts(part.slice(0, 1))).toEqual(want.slice(from, Math.min(from + 1, to)));
    const fed = feedOf(part);
    expect(texts(fed instanceof Uint8Array ? PackedStrings.over(fed) : fed)).toEqual(want.slice(from, to));
    expect(texts(copyStrings(part))).toEqual(want.slice(from, to));
    expect(texts(joinStrings([part, strings, gathered(['a', '']), part]))).toEqual([
      ...want.slice(from, to),
      ...want,
      'a',
      '',
      ...want.slice(from, to),
    ]);
  });
});

it('a zero at an end is seen, and one within is none', () => {
  const plain = many(1000);
  expect(measureStrings(gathered([...plain, 'a\0b', ''])).endsWithZero).toBe(false);
  expect(measureStrings(gathered([...plain, 'a\0'])).endsWithZero).toBe(true);
  expect(measureStrings(gathered(['a\0'])).endsWithZero).toBe(true);
  // One before the part, or behind it, is not in it.
  expect(measureStrings(gathered(['a\0', ...plain, 'a\0']).slice(1, 1001)).endsWithZero).toBe(false);
});

it('memory is claimed before it is taken: places, and bytes as they come', () => {
  let claimed = 0;
  const strings = gathered(Array(1000).fill('x'.repeat(1000)), (bytes) => {
    claimed += bytes;
  }) as PackedStrings;
  expect(claimed).toBeGreaterThanOrEqual(strings.pack().buffer.byteLength);
  const refuse = () => {
    throw new Error('no room');
  };
  expect(() => new StringGatherer(1000, refuse)).toThrow('no room');
});

it('less strings than were said are a fault', () => {
  const strings = new StringGatherer(1000, () => {});
  strings.addText('only one');
  expect(() => toEnd(strings.finish())).toThrow('1 of 1000 strings came');
});
