/**
 * Bounds how much work of a kind goes on at once.
 */

/** So many permits; who finds none waits, in the order of coming. */
export class Permits {
  private readonly waiting: (() => void)[] = [];

  constructor(private free: number) {}

  /** What `work` gives. It begins once there is a permit, and gives that back at its end, however it ends. */
  async run<Value>(work: () => Promise<Value>): Promise<Value> {
    if (this.free > 0) this.free -= 1;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.free += 1;
    }
  }
}
