/**
 * Making tensors, and what is refused before or after it is sent.
 */
import { describe, expect, it } from 'vitest';
import {
  binaryToDict,
  dictToBinary,
  isTensor,
  numbersOf,
  type Tensor,
  tensor,
} from '../../src/client/index.ts';
import { array, bytes, float64, hex, int, ints, list, map, tag } from '../fixtures/cbor.ts';

const read = (item: Uint8Array) => binaryToDict(map({ x: item }))['x'];

describe('tensor()', () => {
  it('knows shape and dtype of what it is given', () => {
    expect(
      tensor([
        [1, 2, 3],
        [4, 5, 6],
      ]),
    ).toMatchObject({ dtype: 'float32', shape: [2, 3] });
    expect(tensor([true, false])).toEqual({ dtype: 'bool', shape: [2], data: Uint8Array.of(1, 0) });
    expect(tensor(5n)).toEqual({ dtype: 'int64', shape: [], data: BigInt64Array.of(5n) });
    expect(tensor('é')).toEqual({ dtype: 'string', shape: [], data: [hex('c3a9')] });
    expect(tensor(new Int16Array(6), [2, 3])).toMatchObject({ dtype: 'int16', shape: [2, 3] });
    expect(tensor(new Uint8ClampedArray(2))).toMatchObject({ dtype: 'uint8', shape: [2] });
    expect(tensor(hex('ff00'), [], 'string')).toEqual({ dtype: 'string', shape: [], data: [hex('ff00')] });
  });

  it('takes a typed array as it is, without a copy', () => {
    const data = new Float32Array([1, 2, 3, 4]);
    expect((tensor(data, [2], 'complex64').data as Float32Array).buffer).toBe(data.buffer);
    expect(tensor(Uint16Array.of(0x3c00), [1], 'float16').data).toEqual(Uint16Array.of(0x3c00));
  });

  it('converts values that fit', () => {
    const half = tensor(Float32Array.of(1, -0.5), undefined, 'float16');
    expect(half).toEqual({ dtype: 'float16', shape: [2], data: Uint16Array.of(0x3c00, 0xb800) });
    expect(numbersOf(half)).toEqual(Float32Array.of(1, -0.5));
    expect(tensor([[1, -1]], undefined, 'complex128')).toEqual({
      dtype: 'complex128',
      shape: [1],
      data: Float64Array.of(1, -1),
    });
    expect(tensor(Int32Array.of(7), undefined, 'int64').data).toEqual(BigInt64Array.of(7n));
  });

  it.each([
    ['an element that does not fit', () => tensor([300], undefined, 'uint8'), /got 300/],
    ['a fraction for an integer', () => tensor(Float32Array.of(0.5), undefined, 'int32'), /got 0.5/],
    ['ragged lists', () => tensor([[1], [2, 3]]), /ragged/],
    ['a shape of another size', () => tensor([1, 2], [3]), /expected \d+ \w+ for \w+ \[3\], got \d+/],
    ['a DataView', () => tensor(new DataView(new ArrayBuffer(4))), /no typed array/],
  ])('refuses %s', (_name, make, message) => {
    expect(make).toThrow(message);
  });
});

describe('dictToBinary', () => {
  it.each([
    ['undefined', { x: undefined as never }, /undefined cannot be sent/],
    ['an integer beyond 64 bits', { x: 2n ** 64n }, /beyond 64 bits/],
    [
      'a tensor that lacks data',
      { x: { dtype: 'int8', shape: [2], data: new Int8Array(1) } as Tensor },
      /expected 2/,
    ],
  ])('refuses %s', (_name, dict, message) => {
    expect(() => dictToBinary(dict)).toThrow(message);
  });

  it('writes a view on a part of a buffer, and tensors larger than any buffer', () => {
    const part = new Int16Array([9, 1, 2, 9]).subarray(1, 3);
    expect(binaryToDict(dictToBinary({ part }))['part']).toMatchObject({
      dtype: 'int16',
      data: Int16Array.of(1, 2),
    });
    const large = Float32Array.from({ length: 200_000 }, (_, i) => i);
    expect((binaryToDict(dictToBinary({ a: 1, large, b: 'c' }))['large'] as Tensor).data).toEqual(large);
  });
});

describe('binaryToDict', () => {
  it('gives views where bytes are aligned, and copies where they are not', () => {
    for (const padding of ['', 'a', 'aa', 'aaa']) {
      const body = dictToBinary({ [padding]: Float32Array.of(1, 2) });
      const data = (binaryToDict(body)[padding] as Tensor).data as Float32Array;
      expect(data).toEqual(Float32Array.of(1, 2));
      // The elements are the last eight bytes.
      expect(data.buffer === body.buffer).toBe((body.byteOffset + body.length - 8) % 4 === 0);
    }
  });

  it('reads arrays as others write them', () => {
    expect(read(tag(74, bytes(hex('00000102'))))).toMatchObject({ dtype: 'int32', data: Int32Array.of(258) });
    const columns = tag(1040, list(ints(2, 2), tag(64, bytes(hex('01020304')))));
    expect(read(columns)).toEqual({ dtype: 'uint8', shape: [2, 2], data: hex('01030204') });
    expect(read(tag(40, list(ints(2, 2), ints(1, 2, 3, 4))))).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(read(tag(1040, list(ints(2, 2), ints(1, 2, 3, 4))))).toEqual([
      [1, 3],
      [2, 4],
    ]);
    expect(read(tag(40, list(list(), list(float64(1.5)))))).toBe(1.5);
    expect(read(tag(3, bytes(hex('ffffffffffffffffff'))))).toBe(-(2n ** 72n));
    expect(read(hex('f93c00'))).toBe(1);
    expect(isTensor(read(map({ dtype: int(1), shape: int(2), data: int(3) })))).toBe(false);
  });

  it.each([
    ['bytes that are cut short', hex('a16178'), /cut short/],
    ['what is no map', hex('80'), /no map/],
    ['what follows the end', hex('a000'), /follow the end/],
    [
      'a shape that its bytes do not fill',
      map({ x: array([3], 85, new Uint8Array(8)) }),
      /expected 12 bytes/,
    ],
    ['bytes that are no whole elements', map({ x: tag(85, bytes(hex('00'))) }), /./],
    [
      'plain elements that do not fill a shape',
      map({ x: tag(40, list(ints(3), ints(1, 2))) }),
      /does not fill/,
    ],
    ['elements that are no list', map({ x: tag(40, list(ints(1), int(1))) }), /typed array or a list/],
    ['the same key twice', hex('a2616101616102'), /twice/],
    ['a text that is not UTF-8', hex('a1617861ff'), /UTF-8/],
  ])('refuses %s', (_name, body, message) => {
    expect(() => binaryToDict(body)).toThrow(message);
    expect(() => binaryToDict(body)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });
});
