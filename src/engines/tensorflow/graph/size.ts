/**
 * Sizes as products of a number and of names, such as `3 · batch · time`. They are what can be said of a dim before a
 * request comes.
 *
 * `batch` is the number of rows that share a run. Every other name stands for the same number, whichever requests share
 * the run.
 */

const batchName = 'batch';

/** The most names in a product. A longer product gets a name of its own. */
const maxNames = 16;

export class Size {
  /** Equal sizes have equal keys. */
  readonly key: string;

  private constructor(
    /** The number in the product. */
    readonly factor: number,
    private readonly names: readonly string[],
  ) {
    this.key = [factor, ...names].join('·');
  }

  static of(value: number): Size {
    return new Size(value, []);
  }

  /** An unknown size that does not depend on the batch. */
  static named(name: string): Size {
    return new Size(1, [name]);
  }

  /** The number of products that got a name of their own. */
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

  /** True if the size grows with the batch. */
  get hasBatch(): boolean {
    return this.factor !== 0 && this.names.includes(batchName);
  }

  /** The size for each row of the batch; undefined if the size does not grow with it. */
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

  /** The quotient; undefined if there may be a remainder. */
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
