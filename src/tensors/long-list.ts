/**
 * Lists of many values, kept in chunks.
 *
 * V8 copies an array whenever it has grown. It turns each number of an array into an object when the first element that
 * is no number arrives. Its collector marks the whole array at once. With millions of elements, each of these holds the
 * event loop for a tenth of a second. Chunks are small, and chunks of numbers lie outside V8's heap.
 */

/** The number of elements in every chunk but the last. */
const chunkLength = 4096;

/** Some elements of a list, one after another. */
export type Chunk<Item> = Numbers | readonly Item[];

/**
 * A chunk of bigints may hold any integer, so that numbers can stand beside integers that no double holds. The two mean
 * the same.
 */
type Numbers = Float64Array | BigInt64Array | BigUint64Array;

/** A list of at least {@link chunkLength} elements. */
export class LongList<Item> {
  readonly length: number;

  /** @param chunks are full, except for the last */
  constructor(readonly chunks: readonly Chunk<Item>[]) {
    this.length = (chunks.length - 1) * chunkLength + (chunks.at(-1)?.length ?? 0);
  }

  *[Symbol.iterator](): Generator<Item | number | bigint, void, void> {
    for (const chunk of this.chunks) yield* chunk;
  }
}

export type List<Item> = readonly Item[] | LongList<Item>;

export function isList(value: unknown): value is List<unknown> {
  return Array.isArray(value) || value instanceof LongList;
}

/** The element at an index; undefined beyond the end. */
export function itemAt<Item>(list: List<Item>, index: number): Item | number | bigint | undefined {
  if (!(list instanceof LongList)) return list[index];
  return list.chunks[Math.floor(index / chunkLength)]?.[index % chunkLength];
}

/** All elements, in chunks. A short list is one chunk. */
export function chunksOf<Item>(list: List<Item>): readonly Chunk<Item>[] {
  return list instanceof LongList ? list.chunks : [list];
}

/** A list as long as another one. The caller sets every element to one of the other list's. */
export function likeList<Item>({ chunks }: LongList<Item>): LongList<Item> {
  const areNumbers = chunks.every((chunk) => chunk instanceof Float64Array);
  return new LongList(
    chunks.map(({ length }) => (areNumbers ? new Float64Array(length) : new Array<Item>(length))),
  );
}

/** Sets an element of a list that {@link likeList} made. */
export function setItem<Item>({ chunks }: LongList<Item>, index: number, item: Item): void {
  const chunk = chunks[Math.floor(index / chunkLength)];
  if (chunk) (chunk as Item[])[index % chunkLength] = item;
}

/** True for a chunk without lists. */
export function areNumbersOnly(chunk: Chunk<unknown>): chunk is Numbers {
  return ArrayBuffer.isView(chunk);
}

/** True if a list of so many elements is one chunk, and therefore an array. */
export function isShort(length: number): boolean {
  return length < chunkLength;
}

/** The same value, with an array in place of each long list. */
export function withArrays(value: unknown): unknown {
  return isList(value) ? Array.from<unknown, unknown>(value, withArrays) : value;
}

/** Makes a list, element by element. */
export class ListBuilder<Item> {
  private items: Item[] = [];
  private chunks: Chunk<Item>[] | undefined;

  push(item: Item): void {
    const { items } = this;
    items.push(item);
    if (items.length === chunkLength) this.endChunk();
  }

  get length(): number {
    return (this.chunks?.length ?? 0) * chunkLength + this.items.length;
  }

  finish(): Item[] | LongList<Item> {
    const { chunks, items } = this;
    if (!chunks) return items;
    if (items.length > 0) this.endChunk();
    return new LongList(chunks);
  }

  private endChunk(): void {
    this.chunks ??= [];
    this.chunks.push(compact(this.items));
    this.items = [];
  }
}

function compact<Item>(items: readonly Item[]): Chunk<Item> {
  if (areNumbers(items)) return new Float64Array(items);
  return integersOf(items, BigInt64Array) ?? integersOf(items, BigUint64Array) ?? items;
}

function areNumbers(items: readonly unknown[]): items is readonly number[] {
  for (const item of items) if (typeof item !== 'number') return false;
  return true;
}

/** The elements as integers, some of which are bigints. It is undefined if one is no integer or does not fit. */
function integersOf<Integers extends BigInt64Array | BigUint64Array>(
  items: readonly unknown[],
  Integers: new (length: number) => Integers,
): Integers | undefined {
  const integers = new Integers(items.length);
  for (const [i, item] of items.entries()) {
    const integer = Number.isSafeInteger(item) && !Object.is(item, -0) ? BigInt(item as number) : item;
    if (typeof integer !== 'bigint') return undefined;
    integers[i] = integer;
    if (integers[i] !== integer) return undefined;
  }
  return integers;
}
