/** The load for the picture: the same request again and again. Each answer is compared with the right one. */
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** @typedef {import('./picture-drawing.js').Answer} Answer */

/** A seven of 8 × 8 pixels, as the models take it: CBOR, {"image": tag 40 [[8, 8, 1], tag 85 float32]}. */
const body = Buffer.concat([
  Buffer.from('a165696d616765d8288283080801d855590100', 'hex'),
  Buffer.from(
    Float32Array.from('................######...........#......#......#......#......#......#...', (pixel) =>
      pixel === '#' ? 1 : 0,
    ).slice(0, 64).buffer,
  ),
]);

/**
 * Callers that ask at even times until they are stopped. A caller whose answer is late asks again as soon as it has it.
 */
export class Load {
  /** The version of the last answer. */
  latest = 0;
  #start = performance.now();
  #stopped = false;
  /** @type {Answer[]} */
  #answers = [];
  #callers;

  /**
   * @param {string} url
   * @param {{ callers: number, perSecond: number }} rate `perSecond`: requests of each caller
   * @param {Record<number, readonly number[]>} expected by version
   */
  constructor(url, { callers, perSecond }, expected) {
    this.#callers = Array.from({ length: callers }, (_, i) =>
      this.#repeat(url, { first: i / callers / perSecond, pause: 1 / perSecond }, expected),
    );
  }

  get seconds() {
    return (performance.now() - this.#start) / 1000;
  }

  /** Ends the load. */
  async stop() {
    this.#stopped = true;
    await Promise.all(this.#callers);
    return this.#answers;
  }

  /**
   * @param {string} url
   * @param {{ first: number, pause: number }} times seconds
   * @param {Record<number, readonly number[]>} expected
   */
  async #repeat(url, { first, pause }, expected) {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    for (let due = first; !this.#stopped; due = Math.max(due + pause, this.seconds)) {
      await sleep(Math.max(0, due - this.seconds) * 1000);
      const sent = this.seconds;
      const answer = await ask(url, agent).catch((error) => {
        console.error(error);
        return null;
      });
      const right = answer !== null && isClose(answer.probabilities, expected[answer.version] ?? []);
      if (answer !== null && right) this.latest = answer.version;
      const { seconds } = this;
      const milliseconds = (seconds - sent) * 1000;
      this.#answers.push({ seconds, milliseconds, version: right ? answer.version : null });
    }
    agent.destroy();
  }
}

/**
 * @param {string} url
 * @param {http.Agent} [agent]
 * @returns {Promise<{ version: number, probabilities: number[] }>}
 * @throws for every answer but 200, and for connections that break
 */
export function ask(url, agent = new http.Agent()) {
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/cbor',
      accept: 'application/json',
      'content-length': body.length,
    };
    const request = http.request(`${url}/infer`, { method: 'POST', agent, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode !== 200) return reject(new Error(`${response.statusCode} ${text}`));
        const { version, outputs } = JSON.parse(text);
        resolve({ version, probabilities: outputs.probabilities });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

/**
 * @param {readonly number[]} got
 * @param {readonly number[]} want
 */
function isClose(got, want) {
  return got.length === want.length && got.every((value, i) => Math.abs(value - (want[i] ?? 0)) <= 1e-5);
}
