/**
 * A map whose keys are the names of nodes. A graph may have millions.
 *
 * V8 moves a whole Map at once when it grows. With a million names, that holds the event loop for 50 ms. So the first
 * names are in one Map, and the others are spread over many.
 */

/** The number of names in the first part. Most graphs have fewer. */
const firstNames = 2 ** 14;

/** The number of parts for all other names. */
const partCount = 64;

export class NameMap<Value> {
  private readonly first = new Map<string, Value>();
  private others: readonly Map<string, Value>[] | undefined;

  get isEmpty(): boolean {
    return this.first.size === 0;
  }

  /** The number of names in the largest part. */
  get largestPart(): number {
    return Math.max(this.first.size, ...(this.others ?? []).map(({ size }) => size));
  }

  get(name: string): Value | undefined {
    return this.first.get(name) ?? this.others?.[partOf(name)]?.get(name);
  }

  has(name: string): boolean {
    return this.first.has(name) || this.others?.[partOf(name)]?.has(name) === true;
  }

  set(name: string, value: Value): void {
    const { first } = this;
    if (first.size < firstNames || first.has(name)) {
      first.set(name, value);
      return;
    }
    this.others ??= Array.from({ length: partCount }, () => new Map<string, Value>());
    this.others[partOf(name)]?.set(name, value);
  }

  *values(): Generator<Value, void, void> {
    yield* this.first.values();
    for (const part of this.others ?? []) yield* part.values();
  }
}

/** The names of one graph usually differ in their last letters, because they are numbered. */
function partOf(name: string): number {
  let hash = name.length;
  for (let i = Math.max(0, name.length - 8); i < name.length; i++)
    hash = (31 * hash + name.charCodeAt(i)) | 0;
  return ((hash >>> 16) ^ hash) & (partCount - 1);
}
