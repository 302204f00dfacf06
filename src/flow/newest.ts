/**
 * A map that keeps the newest of its entries.
 */
export class Newest<Key, Value> {
  private readonly entries = new Map<Key, Value>();

  /** @param most entries that it keeps */
  constructor(private readonly most: number) {}

  get(key: Key): Value | undefined {
    return this.entries.get(key);
  }

  /** The entry is the newest now. */
  set(key: Key, value: Value): void {
    this.entries.delete(key);
    this.entries.set(key, value);
    if (this.entries.size <= this.most) return;
    const { value: oldest } = this.entries.keys().next();
    this.entries.delete(oldest as Key);
  }

  delete(key: Key): void {
    this.entries.delete(key);
  }
}
