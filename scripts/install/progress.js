/**
 * What the install step prints: one line when a step begins, some on the way, and one when it ends. Everything goes to
 * standard error, because the standard output of `make serve` belongs to the server.
 */
export class Progress {
  /** @param {(line: string) => void} [print] */
  constructor(print = (line) => process.stderr.write(`${line}\n`)) {
    this.print = print;
    /** Names of the steps that had something to do, in the order they ended. @type {string[]} */
    this.done = [];
  }

  /**
   * @template T
   * @param {string} name
   * @param {() => Promise<T>} task
   * @returns {Promise<T>}
   */
  async step(name, task) {
    const start = performance.now();
    this.say(name, 'started');
    const result = await task();
    this.done.push(name);
    this.say(name, `done in ${((performance.now() - start) / 1000).toFixed(1)} s`);
    return result;
  }

  /**
   * @param {string} name of the step
   * @param {string} what
   */
  say(name, what) {
    this.print(`[install] ${name}: ${what}`);
  }

  /**
   * Reports the progress of a step, with a line for every tenth.
   * @param {string} name of the step
   * @param {string} doing
   * @param {number} total
   * @returns {(part: number) => void}
   */
  tenths(name, doing, total) {
    let reported = 0;
    return (part) => {
      const tenth = Math.min(10, Math.floor((part / total) * 10));
      if (tenth <= reported) return;
      reported = tenth;
      this.say(name, `${doing} ${tenth * 10} %`);
    };
  }
}

/** @param {number} bytes */
export function megabytes(bytes) {
  return `${Math.round(bytes / 1e6)} MB`;
}
