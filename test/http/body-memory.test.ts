/** The memory of bodies is used again, never by two at once, and bounded. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { BodyMemory } from '../../src/http/body/body-memory.ts';

const kibibyte = 1024;

it('is used again by a body of about the same size', () => {
  const memory = new BodyMemory(1000 * kibibyte);
  const first = memory.take(100 * kibibyte);
  memory.giveBack(first);
  const second = memory.take(99 * kibibyte);
  expect(second.buffer).toBe(first.buffer);
  expect(second).toHaveLength(99 * kibibyte);
  expect(memory.take(100 * kibibyte).buffer).not.toBe(first.buffer);
});

it('is never given to two bodies at once, whatever comes and goes', () => {
  const step = fc.record({ size: fc.integer({ min: 1, max: 300 * kibibyte }), ends: fc.nat(5) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const memory = new BodyMemory(500 * kibibyte);
      const taken: Buffer[] = [];
      for (const { size, ends } of steps) {
        const body = memory.take(size);
        expect(body).toHaveLength(size);
        expect(body.byteOffset).toBe(0);
        expect(taken.some(({ buffer }) => buffer === body.buffer)).toBe(false);
        taken.push(body);
        for (const over of taken.splice(0, ends)) memory.giveBack(over);
      }
    }),
  );
});

it('is kept up to a limit: what was used last stays', () => {
  const memory = new BodyMemory(250 * kibibyte);
  const small = memory.take(64 * kibibyte);
  const others = [memory.take(128 * kibibyte), memory.take(120 * kibibyte)];
  memory.giveBack(small);
  for (const other of others) memory.giveBack(other);
  const buffers = others.map(({ buffer }) => buffer);
  expect(buffers).toContain(memory.take(128 * kibibyte).buffer);
  expect(memory.take(64 * kibibyte).buffer).not.toBe(small.buffer);
  const large = memory.take(300 * kibibyte);
  memory.giveBack(large);
  expect(memory.take(300 * kibibyte).buffer).not.toBe(large.buffer);
});

it('frees the pieces of a body once they are copied, and nothing that they are only a part of', () => {
  const freed: ArrayBuffer[] = [];
  const memory = new BodyMemory(0, (buffer) => freed.push(buffer));
  const body = memory.take(5);
  const whole = Buffer.from(Uint8Array.of(1, 2, 3).buffer);
  memory.move(whole, body, 0);
  memory.move(Buffer.from(Uint8Array.of(9, 4, 5).buffer).subarray(1), body, 3);
  expect([...body]).toEqual([1, 2, 3, 4, 5]);
  expect(freed).toEqual([whole.buffer]);
});

it('frees what it does not keep, and nothing that it keeps', () => {
  const freed: ArrayBuffer[] = [];
  const memory = new BodyMemory(250 * kibibyte, (buffer) => freed.push(buffer));
  const [first, second, large, small] = [100, 200, 300, 1].map((size) => memory.take(size * kibibyte));
  for (const body of [first, second, large, small]) memory.giveBack(body as Buffer);
  expect(freed).toEqual([first?.buffer, large?.buffer]);
  expect(memory.take(200 * kibibyte).buffer).toBe(second?.buffer);
});
