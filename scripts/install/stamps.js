import fs from 'node:fs';
import path from 'node:path';

/**
 * What is remembered of the steps done in this checkout: for each its key, a digest of all it depended on, and the
 * choice of device. A step whose key is unchanged and whose outputs exist has nothing to do.
 *
 * @typedef {object} Choice        what the user asked for, kept until asked otherwise
 * @property {string} device       cpu, gpu or auto
 * @property {string} tensorflowDir  a libtensorflow of the user's own, or ''
 */
export class Stamps {
  /** @param {string} file */
  constructor(file) {
    this.file = file;
    /** @type {{ choice?: Choice, steps: Record<string, string> }} */
    this.content = { steps: {} };
    this.reload();
  }

  /** Reads what another process may have finished. A file without sense counts as none. */
  reload() {
    try {
      const { choice, steps } = JSON.parse(fs.readFileSync(this.file, 'utf8'));
      this.content = { choice, steps: { ...steps } };
    } catch {
      this.content = { steps: {} };
    }
  }

  /** @param {string} step */
  key(step) {
    return this.content.steps[step];
  }

  /**
   * @param {string} step
   * @param {string} key
   */
  setKey(step, key) {
    this.content.steps[step] = key;
    this.#write();
  }

  get choice() {
    return this.content.choice;
  }

  /** @param {Choice} choice */
  setChoice(choice) {
    if (JSON.stringify(choice) === JSON.stringify(this.content.choice)) return;
    this.content.choice = choice;
    this.#write();
  }

  #write() {
    fs.mkdirSync(path.dirname(this.file), { recursive: true });
    const temporary = `${this.file}.${process.pid}`;
    fs.writeFileSync(temporary, `${JSON.stringify(this.content, null, 2)}\n`);
    fs.renameSync(temporary, this.file);
  }
}
