/**
 * Small changes to bytes, as mistakes and attackers make them.
 */
import type { Random } from './random.ts';

type Mutation = (random: Random, bytes: Uint8Array) => Uint8Array;

const joined = (...parts: readonly Uint8Array[]) => Uint8Array.from(Buffer.concat(parts));

function changed(bytes: Uint8Array, place: number, value: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[place] = value;
  return copy;
}

/** A place, and one behind it. */
function range(random: Random, { length }: Uint8Array): [start: number, end: number] {
  const start = random.below(length + 1);
  return [start, Math.min(length, start + random.below(16))];
}

/** What formats have limits at. */
const telling = [
  0, 1, 0x0a, 0x0d, 0x22, 0x2c, 0x2d, 0x30, 0x39, 0x5b, 0x7b, 0x7f, 0x80, 0x9f, 0xbf, 0xff,
] as const;

const mutations: readonly [Mutation, ...Mutation[]] = [
  (random, bytes) => {
    const place = random.below(bytes.length);
    return changed(bytes, place, (bytes[place] ?? 0) ^ (1 << random.below(8)));
  },
  (random, bytes) => changed(bytes, random.below(bytes.length), random.pick(telling)),
  (random, bytes) => {
    const [start, end] = range(random, bytes);
    return joined(bytes.subarray(0, start), bytes.subarray(end));
  },
  (random, bytes) => {
    const [start, end] = range(random, bytes);
    return joined(bytes.subarray(0, end), bytes.subarray(start));
  },
  (random, bytes) => {
    const place = random.below(bytes.length + 1);
    return joined(bytes.subarray(0, place), random.bytes(1 + random.below(4)), bytes.subarray(place));
  },
  (random, bytes) => bytes.subarray(0, random.below(bytes.length + 1)),
  // One more digit, where there is one.
  (random, bytes) => {
    const digits = [...bytes.entries()].filter(([, byte]) => byte >= 0x30 && byte <= 0x39);
    const [place] = digits[random.below(digits.length)] ?? [random.below(bytes.length)];
    return joined(bytes.subarray(0, place), Uint8Array.of(0x30 + random.below(10)), bytes.subarray(place));
  },
  // A number in binary at a limit.
  (random, bytes) => {
    const copy = Buffer.from(bytes);
    if (copy.length < 4) return copy;
    copy.writeUInt32BE(random.pick([0, 0x7fffffff, 0x80000000, 0xffffffff]), random.below(copy.length - 3));
    return copy;
  },
];

/** One to three changes. */
export function mutate(random: Random, bytes: Uint8Array): Uint8Array {
  let result = bytes;
  for (let i = random.pick([1, 1, 1, 2, 3]); i > 0; i--) result = random.pick(mutations)(random, result);
  return result;
}
