/**
 * Sizes as products of a number and of names, such as `3 · batch · time`: what can be said of a dim before a request is
 * there. `batch` is the number of rows that share a run; every other name stands for the same number whoever shares it.
 */

const batchName = 'batch';

/** Names of a product; a longer one is only known by a name of its own. */
const maxNames = 16;

export class Size {
  /** Equal sizes have equal keys. */
  readonly key: string;

  private constructor(
    /** The number that the names are multiplied with. */
    readonly factor: number,
    private readonly names: readonly string[],
  ) {
    this.key = [factor, ...names].join('·');
  }

  static of(value: number): Size {
    return new Size(value, []);
  }

  /** A size that is not known, and does not depend on the batch. */
  static named(name: string): Size {
    return new Size(1, [name]);
  }

  /** Products that are only known by a name. */
  private static products = 0;
  static readonly batch = new Size(1, [batchName]);
  static readonly one = new Size(1, []);

  static product(sizes: Iterable<Size>): Size {
    let product = Size.one;
    for (const size of sizes) product = product.times(size);
    return product;
  }

  /** The number, if it is known. */
  get value(): number | undefined {
    return this.names.length === 0 || this.factor === 0 ? this.factor : undefined;
  }

  /** It grows with the batch. */
  get hasBatch(): boolean {
    return this.factor !== 0 && this.names.includes(batchName);
  }

  /** It is so many times the batch, where it grows with it. */
  get perRow(): Size | undefined {
    return this.dividedBy(Size.batch);
  }

  times(other: Size): Size {
    if (this.key === Size.one.key) return other;
    if (other.key === Size.one.key) return this;
    const names = [...this.names, ...other.names];
    if (names.length > maxNames) {
      const batches = names.filter((name) => name === batchName).slice(0, 2);
      return new Size(1, [...batches, `product ${Size.products++}`]);
    }
    return new Size(this.factor * other.factor, names.sort());
  }

  /** undefined if the quotient may have a remainder. */
  dividedBy(divisor: Size): Size | undefined {
    if (divisor.factor === 0 || this.factor % divisor.factor !== 0) return undefined;
    const names = [...this.names];
    for (const name of divisor.names) {
      const i = names.indexOf(name);
      if (i < 0) return undefined;
      names.splice(i, 1);
    }
    return new Size(this.factor / divisor.factor, names);
  }

  equals(other: Size | undefined): boolean {
    return this.key === other?.key;
  }

  is(value: number): boolean {
    return this.value === value;
  }
}
