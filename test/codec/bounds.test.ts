/**
 * What a body announces costs nothing until it is there. Counts, nesting and sizes are checked before anything is
 * allocated for them, so a few bytes cannot ask for gigabytes or for minutes.
 */
import { describe, expect, it } from 'vitest';
import { decodeInferRequest } from '../../src/codec/cbor/decode.ts';
import { decodeJsonRequest } from '../../src/codec/json/decode.ts';
import { CborReader } from '../../src/tensors/cbor-reader.ts';
import {
  array,
  bytes,
  described,
  endlessList,
  endlessMap,
  float64,
  head,
  hex,
  int,
  ints,
  joined,
  list,
  map,
  tag,
  text,
} from '../fixtures/cbor.ts';
import { decodeX, limits, refusal } from '../fixtures/codec.ts';
import { openRuntimeForTests } from '../fixtures/runtime.ts';

openRuntimeForTests();

const refuseBody = (body: Uint8Array) => refusal(() => decodeInferRequest(body, limits));

const x = (item: Uint8Array) => joined(hex('a1 6178'), item);

describe('a body that is cut short is refused, wherever it is cut', () => {
  it.each([
    [
      'every plain value',
      map({ x: list(int(1), int(1000), int(-70000), int(2n ** 60n), float64(0.1), hex('f93c00')) }),
    ],
    [
      'typed arrays',
      map({ x: array([2, 2], 85, new Uint8Array(16)), y: tag(64, bytes(new Uint8Array(300))) }),
    ],
    [
      'an envelope',
      map({ inputs: map({ x: text('é'), y: hex('f5') }), signature: text('s'), outputs: list(text('y')) }),
    ],
    [
      'described tensors',
      map({ x: described('bool', [2], bytes(hex('0001'))), y: described('string', [1], list(text('a'))) }),
    ],
    ['endless lists and maps', endlessMap({ x: endlessList(ints(1, 2), endlessList(int(3))) })],
    [
      'tags',
      tag(
        55799,
        map({ x: tag(1040, list(ints(1, 2), ints(1, 2))), y: tag(41, list(tag(2, bytes(hex('01'))))) }),
      ),
    ],
  ])('%s', (_, body) => {
    expect(decodeInferRequest(body, limits).inputs.size).toBeGreaterThan(0);
    for (let length = 1; length < body.length; length++) {
      // In the middle of memory that holds the rest too, as in a pooled buffer.
      expect(refuseBody(body.subarray(0, length)), `cut at ${length}`).toMatch(/cut short|CBOR map/);
      expect(refuseBody(body.slice(0, length)), `cut at ${length}`).toMatch(/cut short|CBOR map/);
    }
  });
});

describe('a count that is larger than the body', () => {
  const huge = hex('9a 05f5e100');
  const bodies: readonly (readonly [what: string, body: Uint8Array])[] = [
    ['a list of 100,000,000', x(huge)],
    ['four of them', x(joined(huge, huge, huge, huge))],
    ['two hundred of them', x(joined(...new Array<Uint8Array>(200).fill(huge)))],
    [
      'fifteen of a million, with a million bytes behind',
      x(joined(...new Array<Uint8Array>(15).fill(hex('9a 000f4240')), new Uint8Array(1_000_000))),
    ],
    ['a list of 2^64 - 1', x(hex('9b ffffffffffffffff'))],
    ['a list of 2^32', x(hex('9b 0000000100000000'))],
    ['a byte string of 2^32 - 1', x(hex('5a ffffffff'))],
    ['a byte string of 2^63', x(hex('5b 8000000000000000'))],
    ['a text of 2^31', x(hex('7a 80000000'))],
    ['a map of 2^32 - 1', x(hex('ba ffffffff'))],
    ['a map of one more than it has', x(hex('a2 6161 01'))],
    ['a body of 2^32 - 1 inputs', hex('ba ffffffff 6178 01')],
    ['a body of 2^64 - 1 inputs', hex('bb ffffffffffffffff 6178 01')],
    ['inputs of 2^31', map({ inputs: hex('ba 80000000') })],
    ['outputs of 10^8', map({ inputs: map({}), outputs: huge })],
    ['a typed array of 2^32 - 1', x(hex('d855 5a ffffffff'))],
    ['a key of 2^32 - 1', hex('a1 7a ffffffff')],
    ['described strings of 10^8', map({ x: described('string', [100_000_000], huge) })],
    ['a shape of 10^8', x(joined(hex('d828 82'), huge))],
  ];

  it.each(bodies)('%s is refused as cut short', (_, body) => {
    expect(refuseBody(body)).toContain('cut short');
  });

  it('takes no memory: all of them, a hundred times, stay within 64 MB', () => {
    const peak = process.resourceUsage().maxRSS;
    for (let i = 0; i < 100; i++) for (const [, body] of bodies) refuseBody(body);
    expect((process.resourceUsage().maxRSS - peak) / 1024).toBeLessThan(64);
  });
});

describe('names', () => {
  const long = text('é'.repeat(2049));
  const endless = joined(hex('9f'), new Uint8Array(4097).fill(0x60), hex('ff'));
  const many = joined(head(4, 4097), new Uint8Array(4097).fill(0x60));

  it('of more outputs than any signature has are refused before one is read', () => {
    for (const outputs of [many, endless])
      expect(refuseBody(map({ inputs: map({}), outputs }))).toBe(
        '`outputs` has more than 4096 names: name each output once',
      );
    const json = `{"inputs": {}, "outputs": [${new Array(4097).fill('""')}]}`;
    expect(refusal(() => decodeJsonRequest(Buffer.from(json), limits))).toContain('more than 4096 names');
  });

  it('of 4,096 bytes are read, and longer ones are refused', () => {
    const most = 'é'.repeat(2048);
    const body = map({ inputs: map({ [most]: int(1) }), signature: text(most), outputs: list(text(most)) });
    expect(decodeInferRequest(body, limits)).toMatchObject({ signature: most, outputs: [most] });
    const tooLong = 'has 4098 bytes: a name has at most 4096';
    const key = 'é'.repeat(2049);
    expect(refuseBody(map({ [key]: int(1) }))).toBe(`a key of the body ${tooLong}`);
    expect(refuseBody(map({ inputs: map({ [key]: int(1) }) }))).toBe(`a key of \`inputs\` ${tooLong}`);
    expect(refuseBody(map({ inputs: map({}), signature: long }))).toBe(`\`signature\` ${tooLong}`);
    expect(refuseBody(map({ inputs: map({}), outputs: list(long) }))).toContain(tooLong);
    const odd = map({ dtype: long, shape: list(), data: bytes(hex('')) });
    expect(refuseBody(map({ x: odd }))).toBe(`the dtype of input \`x\` ${tooLong}`);
  });

  it.each([
    ['a key', (name: string) => `{"${name}": 1}`],
    ['a signature', (name: string) => `{"inputs": {}, "signature": "${name}"}`],
    ['an output', (name: string) => `{"inputs": {}, "outputs": ["${name}"]}`],
    ['a dtype', (name: string) => `{"x": {"dtype": "${name}", "shape": [], "data": 1}}`],
  ])('in JSON, too: %s', (_, of) => {
    const refuse = (length: number) =>
      refusal(() => decodeJsonRequest(Buffer.from(of('a'.repeat(length))), limits));
    expect(refuse(4097)).toMatch(/has 4097 bytes: a name has at most 4096|a key has more than 4096 bytes/);
  });

  it('pause the work when there are many', () => {
    const entries = Array.from({ length: 1000 }, (_, i) => [`${i}${'é'.repeat(2000)}`, int(1)] as const);
    const steps = new CborReader(map(Object.fromEntries(entries))).map('the body', 16);
    let pauses = 0;
    for (; !steps.next().done; ) pauses += 1;
    expect(pauses).toBeGreaterThan(10);
  });
});

describe('nesting', () => {
  const nest = (depth: number, opening: string, inner: Uint8Array) =>
    joined(...new Array<Uint8Array>(depth).fill(hex(opening)), inner);

  it('of 16 levels is read, the body being the first', () => {
    const tensor = decodeX(map({ x: nest(15, '81', int(7)) }), 'uint8');
    expect(tensor.shape).toEqual(new Array(15).fill(1));
    expect(decodeX(map({ x: nest(15, 'd829', int(7)) }), 'uint8').shape).toEqual([]);
    expect(decodeX(map({ inputs: map({ x: nest(14, '81', int(7)) }) }), 'uint8').shape).toHaveLength(14);
  });

  it.each([
    ['lists', '81'],
    ['lists of two', '8201'],
    ['endless lists', '9f'],
    ['maps', 'a16178'],
    ['endless maps', 'bf6178'],
    ['tags', 'd829'],
    ['self-described tags', 'd9d9f7'],
    ['multi-dimensional arrays', 'd828828101'],
    ['described tensors', 'a3656474797065' + '64626f6f6c' + '657368617065' + '80' + '6464617461'],
  ])('of 17 levels and of 100,000 is refused: %s', (_, opening) => {
    for (const depth of [16, 17, 1000, 100_000]) {
      expect(refuseBody(x(nest(depth, opening, int(1))))).toContain('nested too deeply (--max-depth)');
      expect(refuseBody(map({ inputs: x(nest(depth, opening, int(1))) }))).toContain('nested too deeply');
    }
  });

  it('has the limit of --max-depth', () => {
    const two = map({ x: ints(1) });
    expect(decodeX(two, 'uint8', { ...limits, maxDepth: 2 }).shape).toEqual([1]);
    expect(
      refusal(() => decodeInferRequest(map({ x: list(ints(1)) }), { ...limits, maxDepth: 2 })),
    ).toContain('--max-depth');
  });
});

describe('values that would become objects', () => {
  const most = 2 ** 21;
  const many = (count: number, item: Uint8Array) =>
    joined(head(4, count), new Uint8Array(Buffer.alloc(count * item.length, item)));

  it('are read as far as an image of 480 × 640 × 3 in nested lists', () => {
    const image = many(480, many(640, ints(1, 2, 255)));
    const { shape, data } = decodeX(map({ x: image }), 'uint8');
    expect(shape).toEqual([480, 640, 3]);
    expect((data as Uint8Array).subarray(-6)).toEqual(Uint8Array.of(1, 2, 255, 1, 2, 255));
  });

  it.each([
    ['numbers', '00'],
    ['empty lists', '80'],
    ['empty texts', '60'],
    ['empty byte strings', '40'],
    ['typed arrays of nothing', 'd84040'],
    ['nulls', 'f6'],
    ['endless lists of nothing', '9fff'],
  ])('are refused beyond two million: %s', (_, item) => {
    const message = `holds more than ${most} values: send them as typed arrays`;
    expect(refuseBody(map({ x: many(most, hex(item)) }))).toContain(message);
    expect(refuseBody(map({ x: described('string', [most], many(most, hex(item))) }))).toContain(message);
    expect(refuseBody(map({ inputs: map({}), outputs: many(most, hex(item)) }))).toContain(message);
  });

  it('do not count what is in a typed array', () => {
    expect(decodeX(map({ x: tag(64, bytes(new Uint8Array(most + 10))) }), 'uint8').shape).toEqual([
      most + 10,
    ]);
  });
});

it('a column-major array with hundreds of dims of 1 is put in order like any other', () => {
  const shape = [1000, ...new Array<number>(252).fill(1), 1000];
  const data = Uint8Array.from({ length: 1_000_000 }, (_, place) => (place % 1000) % 251);
  const { data: ordered } = decodeX(
    map({ x: tag(1040, list(ints(...shape), tag(64, bytes(data)))) }),
    'uint8',
  );
  expect((ordered as Uint8Array)[999_999]).toBe(999 % 251);
  expect((ordered as Uint8Array)[1000]).toBe(1);
});
